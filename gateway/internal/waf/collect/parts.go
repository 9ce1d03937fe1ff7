package collect

import (
	"mime"
	"strings"
	"unicode/utf8"
)

// Bounds of one part. Browsers send two header fields and less than 300 bytes.
const (
	mostPartFields   = 8
	longestPartField = 1024
	longestPartName  = 128
	longestFileName  = 255
)

// parts reads a multipart form part by part. It takes only what every parser
// cuts at the same places: see next.
type parts struct {
	delimiter string // two hyphens and the boundary
	rest      string // what follows the last delimiter
	ended     bool
}

// part is one part of a form.
type part struct {
	fields [mostPartFields]Field
	count  int
	name   string
	// filename is empty for what is no file.
	filename, content string
}

// newParts begins with the first delimiter, which is the first of the body.
func newParts(body, boundary string) (parts, error) {
	p := parts{delimiter: "--" + boundary}
	rest, found := strings.CutPrefix(body, p.delimiter)
	if !found {
		return p, multipartFault("does not begin with its boundary")
	}
	return p, p.after(rest)
}

// after reads what follows a delimiter: the end of its line, or the mark of the
// last one and the end of the body.
func (p *parts) after(rest string) error {
	if p.rest, p.ended = strings.CutPrefix(rest, "--"); p.ended {
		if p.rest != "" && p.rest != "\r\n" {
			return multipartFault("goes on after its last boundary")
		}
		return nil
	}
	var found bool
	if p.rest, found = strings.CutPrefix(rest, "\r\n"); !found {
		return multipartFault("has a boundary that CRLF does not follow")
	}
	return nil
}

// next reads one part into to; false at the end. The delimiter must occur
// nowhere but at the beginning of a line that ends in CRLF: where it does, some
// parser (PHP on a bare line feed, others on spaces behind it) would begin
// another part.
func (p *parts) next(to *part) (bool, error) {
	if p.ended {
		return false, nil
	}
	end := strings.Index(p.rest, p.delimiter)
	if end < 0 {
		return false, multipartFault("ends before its last boundary")
	}
	text, following := p.rest[:end], p.rest[end+len(p.delimiter):]
	head, content, found := strings.Cut(text, "\r\n\r\n")
	if !found {
		return false, multipartFault("has a part without a header that ends in an empty line")
	}
	if content, found = strings.CutSuffix(content, "\r\n"); !found {
		return false, multipartFault("has its boundary within a line")
	}
	*to = part{content: content}
	if err := to.header(head); err != nil {
		return false, err
	}
	return true, p.after(following)
}

// header reads the header of a part.
func (t *part) header(head string) error {
	for more := true; more; {
		var line string
		line, head, more = strings.Cut(head, "\r\n")
		if t.count == mostPartFields {
			return multipartFault("has a part of more than 8 header fields")
		}
		name, value, found := strings.Cut(line, ":")
		switch {
		case len(line) > longestPartField:
			return multipartFault("has a part with a header field of more than 1 KiB")
		case line != "" && (line[0] == ' ' || line[0] == '\t'):
			return multipartFault("has a part with a header field on several lines")
		case !found || !fieldName(name) || !inOneLine(value):
			return multipartFault("has a part with a header field that is malformed")
		}
		for _, other := range t.fields[:t.count] {
			if strings.EqualFold(other.Name, name) {
				return multipartFault("has a part with a header field twice")
			}
		}
		value = strings.Trim(value, " \t")
		if err := t.field(name, value); err != nil {
			return err
		}
		t.fields[t.count] = Field{name, value}
		t.count++
	}
	if t.name == "" {
		return multipartFault("has a part without a name")
	}
	return nil
}

// field looks at one field by what parsers do with it.
func (t *part) field(name, value string) error {
	switch {
	case strings.EqualFold(name, "Content-Disposition"):
		return t.disposition(value)
	case strings.EqualFold(name, "Content-Transfer-Encoding"):
		if !strings.EqualFold(value, "7bit") && !strings.EqualFold(value, "8bit") && !strings.EqualFold(value, "binary") {
			return multipartFault("has a part that is encoded for transfer")
		}
	case strings.EqualFold(name, "Content-Encoding"):
		// aiohttp unpacks it.
		return multipartFault("has a part that is compressed, or says so")
	case strings.EqualFold(name, "Content-Type"):
		return partType(strings.ToLower(value))
	}
	return nil
}

// partType refuses parts that hold parts, and texts that a backend decodes to
// others than the rules have seen: UTF-7 and UTF-16 are for that.
func partType(value string) error {
	if strings.HasPrefix(value, "multipart/") {
		return multipartFault("has a part that is multipart itself")
	}
	if !strings.Contains(value, "charset") && !strings.Contains(value, "*") {
		return nil
	}
	_, parameters, err := mime.ParseMediaType(value)
	if err != nil || strings.Count(value, "charset") != 1 || strings.Contains(value, "*") {
		return multipartFault("has a part whose Content-Type cannot be read")
	}
	switch parameters["charset"] {
	case "utf-8", "us-ascii", "iso-8859-1":
		return nil
	}
	return multipartFault("has a part in a charset other than UTF-8, US-ASCII and ISO-8859-1")
}

// disposition reads form-data; name="a"; filename="b". Names in quotes may have
// no escapes: of a backslash parsers make nothing, the next character, or a
// directory. Names in extended notation (RFC 5987), cut in pieces (RFC 2231) or
// encoded (RFC 2047) are read by some only, and so are names in capitals.
func (t *part) disposition(value string) error {
	rest, found := strings.CutPrefix(value, "form-data")
	if !found {
		return multipartFault("has a part whose Content-Disposition is not form-data")
	}
	named, filed := false, false
	for rest = strings.TrimLeft(rest, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		if rest, found = strings.CutPrefix(rest, ";"); !found {
			return multipartFault(malformedDisposition)
		}
		var key, text string
		key, rest, found = strings.Cut(strings.TrimLeft(rest, " \t"), "=")
		switch {
		case !found || key == "name" && named || key == "filename" && filed:
			return multipartFault(malformedDisposition)
		case key == "name":
			named = true
		case key == "filename":
			filed = true
		default:
			return multipartFault(malformedDisposition)
		}
		if text, rest, found = parameterValue(rest); !found {
			return multipartFault(malformedDisposition)
		}
		if !utf8.ValidString(text) || strings.Contains(text, "=?") {
			return multipartFault("has a part whose name, or that of its file, is not plain UTF-8")
		}
		switch {
		case key == "filename" && len(text) > longestFileName, key == "name" && len(text) > longestPartName:
			return multipartFault("has a part with a name of more than 128 bytes, or a file's of more than 255")
		case key == "filename":
			t.filename = text
		case escaped(text):
			return multipartFault("has a part whose name is percent-encoded")
		default:
			t.name = text
		}
	}
	return nil
}

const malformedDisposition = "has a part whose Content-Disposition is other than form-data with one name, and one filename of a file, in quotes and without escapes"

// parameterValue takes a value in quotes, or one that needs none, from the front
// of s.
func parameterValue(s string) (value, rest string, ok bool) {
	if inner, quoted := strings.CutPrefix(s, `"`); quoted {
		value, rest, ok = strings.Cut(inner, `"`)
		return value, rest, ok && strings.IndexByte(value, '\\') < 0
	}
	end := 0
	for end < len(s) && (alphanumeric(s[end]) || strings.IndexByte("-_.", s[end]) >= 0) {
		end++
	}
	return s[:end], s[end:], end > 0
}

// escaped tells of a percent sign that some would decode.
func escaped(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && hexadecimal(s[i+1]) && hexadecimal(s[i+2]) {
			return true
		}
	}
	return false
}

func hexadecimal(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func fieldName(name string) bool {
	for i := range len(name) {
		if !alphanumeric(name[i]) && name[i] != '-' {
			return false
		}
	}
	return name != ""
}

func inOneLine(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' && value[i] != '\t' || value[i] == 0x7f {
			return false
		}
	}
	return true
}
