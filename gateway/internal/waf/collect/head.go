package collect

import (
	"net/url"
	"strings"
)

// Field is one line of a header.
type Field struct{ Name, Value string }

// Head is what comes before the body, exactly as the engine is told of it.
type Head struct {
	Method string
	// Target is path and query as they stand in the request line.
	Target string
	// Proto is the protocol with its version: "HTTP/1.1".
	Proto string
	// Source is the address of the client.
	Source string
	// Fields in the order in which the engine gets them.
	Fields []Field
}

// Head tells of all that a head holds.
func (w *Walker) Head(h *Head, to Sink) error {
	w.to = to
	uri, path, query, ok := split(h.Target)
	if !ok {
		return ErrTarget
	}
	w.line = append(append(append(append(append(w.line[:0], h.Method...), ' '), h.Target...), ' '), h.Proto...)
	for _, t := range [...]value{
		{URI, "", uri}, {URIRaw, "", h.Target}, {Filename, "", path}, {Basename, "", base(path)}, {Line, "", w.kept(w.line)}, {Method, "", h.Method},
		{Protocol, "", h.Proto}, {QueryString, "", query}, {RemoteAddr, "", h.Source},
	} {
		if err := w.tell(t.v, t.name, t.value); err != nil {
			return err
		}
	}
	for i := range h.Fields {
		if err := w.field(&h.Fields[i]); err != nil {
			return err
		}
	}
	return w.pairs(query, ArgsGet, ArgsGetNames)
}

func (w *Walker) kept(b []byte) string { return w.arena.Keep(append(w.arena.Room(len(b)), b...)) }

func (w *Walker) field(f *Field) error {
	if f.Name == "" {
		return ErrField
	}
	if err := w.tell(HeadersNames, f.Name, f.Name); err != nil {
		return err
	}
	if err := w.tell(Headers, f.Name, f.Value); err != nil {
		return err
	}
	if strings.EqualFold(f.Name, "Cookie") {
		return w.cookies(f.Value)
	}
	return nil
}

// cookies cuts a Cookie field as the engine does: no unescaping, control
// characters and spaces trimmed, names may be empty.
func (w *Walker) cookies(line string) error {
	for line != "" {
		var pair string
		pair, line, _ = strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if name, value = trim(name), trim(value); name == "" && value == "" {
			continue
		}
		if err := w.tell(CookiesNames, name, name); err != nil {
			return err
		}
		if err := w.tell(Cookies, name, value); err != nil {
			return err
		}
	}
	return nil
}

func trim(s string) string {
	begin, end := 0, len(s)
	for begin < end && (s[begin] <= ' ' || s[begin] == 0x7f) {
		begin++
	}
	for end > begin && (s[end-1] <= ' ' || s[end-1] == 0x7f) {
		end--
	}
	return s[begin:end]
}

// base is the last component of a path, or all of one that ends in a slash.
func base(path string) string {
	if at := strings.LastIndexAny(path, `/\`); at >= 0 && at+1 < len(path) {
		return path[at+1:]
	}
	return path
}

// split cuts a target into what the engine has as its URI, its decoded path and
// its query. The engine asks net/url, which writes anew what it has read; a path
// of characters that stay as they are needs no such detour.
func split(target string) (uri, path, query string, ok bool) {
	uri, _, _ = strings.Cut(target, "#")
	if len(uri) > 0 && uri[0] == '/' && (len(uri) == 1 || uri[1] != '/') {
		end := 1
		for end < len(uri) && stays(uri[end]) {
			end++
		}
		if end == len(uri) {
			return uri, uri, "", true
		}
		if uri[end] == '?' && printable(uri[end:]) {
			return uri, uri[:end], uri[end+1:], true
		}
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return "", "", "", false
	}
	return u.String(), u.Path, u.RawQuery, true
}

// stays reports whether net/url writes a character of a path as it reads it.
func stays(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-_.~$&+,/:;=@", c) >= 0
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
