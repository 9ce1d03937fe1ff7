package recent

import (
	"net/http"
	"slices"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// read keeps the query parameters and header fields that conditions of the
// route read, the media type of the body, and the page that a preflight asks for.
// A condition may name where a credential travels; that is not kept all the same.
func (w *writer) read(tx *pipeline.Transaction) {
	r, route := tx.Request, tx.Route
	w.query(tx)
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

// query keeps parameters as they stand in the query: whether a name stands twice
// is part of what a condition sees.
func (w *writer) query(tx *pipeline.Transaction) {
	if tx.Route != nil && len(tx.Route.Reads.Query) > 0 {
		for _, p := range tx.Query.Params() {
			if slices.Contains(tx.Route.Reads.Query, p.Name) && !secret(p.Name) {
				w.long(p.Raw)
			}
		}
	}
	w.short("")
}

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
