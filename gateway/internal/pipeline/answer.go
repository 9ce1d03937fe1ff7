package pipeline

import (
	"net/http"
	"net/textproto"
)

// Complete puts on an answer, whoever gives it, what the stages and the policy
// want there. It may be called again. The upstream's fields of the same names
// give way.
func (tx *Transaction) Complete(h http.Header) {
	for name, values := range tx.Header {
		if canonical := textproto.CanonicalMIMEHeaderKey(name); canonical != name {
			delete(h, canonical)
		}
		h[name] = values
	}
	r := tx.Route
	if r == nil {
		if tx.Snapshot != nil {
			tx.Snapshot.Response.Remove(h)
			tx.Snapshot.Response.Set(h)
		}
		return
	}
	r.Withhold(h)
	r.Response.Set(h)
	if r.CORS != nil {
		r.CORS.complete(h, tx)
	}
}

// Withhold takes from an upstream's fields what the route does not let it say.
func (r *Route) Withhold(h http.Header) {
	r.Response.Remove(h)
	if r.CORS != nil {
		withoutCORS(h)
	}
}

// Withholds reports whether the upstream's field of this name is taken away or
// replaced.
func (r *Route) Withholds(name string) bool {
	return r.Response.Names(name) || r.CORS != nil && isCORS(name)
}
