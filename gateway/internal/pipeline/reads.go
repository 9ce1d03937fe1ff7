package pipeline

import "slices"

// Reads names header fields, spelled as http.Header keeps them, and query
// parameters, decoded.
type Reads struct {
	Headers, Query []string
	// Any says that others may be read too, or a credential.
	Any bool
}

// Reader is a stage whose decision depends on header fields or on the query.
type Reader interface{ Reads() Reads }

// And is what either reads.
func (r Reads) And(o Reads) Reads {
	return Reads{Headers: union(r.Headers, o.Headers), Query: union(r.Query, o.Query), Any: r.Any || o.Any}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
