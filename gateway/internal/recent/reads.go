package recent

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// read keeps the query parameters and header fields that conditions of the
// route read, the media type of the body, and the page that a preflight asks for.
// A condition may name where a credential travels; that is not kept all the same.
func (w *writer) read(tx *pipeline.Transaction) {
	r, route := tx.Request, tx.Route
	w.query(r.URL.RawQuery, route)
	if tx.Preflight {
		w.short("Origin")
		w.short(r.Header.Get("Origin"))
	}
	for _, v := range r.Header["Content-Type"] {
		w.short("Content-Type")
		w.short(v)
	}
	if route != nil {
		for _, name := range route.Reads.Headers {
			for _, v := range r.Header[name] {
				if name != "Content-Type" && !secret(name) && !(tx.Preflight && name == "Origin") {
					w.short(name)
					w.long(v)
				}
			}
		}
	}
	w.short("")
}

// query keeps the parts of a raw query as they stand: whether a name stands twice
// is part of what a condition sees. So is that a query cannot be read at all,
// which unreadable stands for.
func (w *writer) query(raw string, route *pipeline.Route) {
	if route != nil && len(route.Reads.Query) > 0 {
		for part := range strings.SplitSeq(raw, "&") {
			name, value, _ := strings.Cut(part, "=")
			switch plain, ok := readable(name); {
			case !ok || !parsed(value):
				w.short(unreadable)
			case part != "" && slices.Contains(route.Reads.Query, plain) && !secret(plain):
				w.long(part)
			}
		}
	}
	w.short("")
}

// unreadable is the shortest query that net/url refuses.
const unreadable = ";"

// readable gives the name that a part of a query is for.
func readable(name string) (plain string, ok bool) {
	if !strings.ContainsAny(name, "%+;") {
		return name, true
	}
	plain, err := url.QueryUnescape(name)
	return plain, err == nil && !strings.Contains(name, ";")
}

func parsed(value string) bool { _, ok := readable(value); return ok }

// secret names what carries credentials (RFC 9110 section 11, RFC 6265 section
// 5.4, RFC 6750 section 2.3).
func secret(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Cookie", "access_token":
		return true
	}
	return false
}

func (r *reader) read() (query string, header http.Header) {
	var parts []string
	for part := r.string(); part != ""; part = r.string() {
		parts = append(parts, part)
	}
	header = http.Header{}
	for name := r.string(); name != ""; name = r.string() {
		header[name] = append(header[name], r.string())
	}
	return strings.Join(parts, "&"), header
}
