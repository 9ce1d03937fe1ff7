package edge

import (
	"slices"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// maxName bounds the name of a query parameter in an event, in bytes: a longer
// one is more likely a token that stands where a name should.
const maxName = 64

// redacted stands in an event for what it may not hold.
const redacted = "REDACTED"

// visibleQuery keeps the names of all parameters and the values of those that
// the route lists; tokens and personal data travel in queries. What stands
// without a name, as in "?TOKEN", counts as a value.
//
// A query that was refused is shown by its pieces: it has no reading.
func visibleQuery(tx *pipeline.Transaction) string {
	var b strings.Builder
	if tx.Query.Raw() == "" {
		for part := range strings.SplitSeq(tx.Request.URL.RawQuery, "&") {
			if !writeParam(&b, part, false) {
				break
			}
		}
		return b.String()
	}
	for _, p := range tx.Query.Params() {
		if !writeParam(&b, p.Raw, listed(tx.Route, p.Name)) {
			break
		}
	}
	return b.String()
}

// writeParam writes one parameter as it stands in the query; false once there is
// no more room.
func writeParam(b *strings.Builder, raw string, shown bool) bool {
	if b.Len() > maxQuery {
		b.WriteString("&...")
		return false
	}
	name, value, has := strings.Cut(raw, "=")
	if b.Len() > 0 {
		b.WriteByte('&')
	}
	if !shown && (len(name) > maxName || pipeline.ValueAlone(raw)) {
		name = redacted
	}
	b.WriteString(name)
	if !has {
		return true
	}
	b.WriteByte('=')
	if !shown {
		value = redacted
	}
	b.WriteString(clip(value, maxAgent))
	return true
}

func listed(route *pipeline.Route, name string) bool {
	return route != nil && slices.Contains(route.Queries, name)
}
