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
func visibleQuery(raw string, route *pipeline.Route) string {
	var b strings.Builder
	for part := range strings.SplitSeq(raw, "&") {
		if b.Len() > maxQuery {
			b.WriteString("&...")
			break
		}
		name, value, has := strings.Cut(part, "=")
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		shown := listed(route, name)
		if !shown && (len(name) > maxName || !has && name != "") {
			name = redacted
		}
		b.WriteString(name)
		if !has {
			continue
		}
		b.WriteByte('=')
		if !shown {
			value = redacted
		}
		b.WriteString(clip(value, maxAgent))
	}
	return b.String()
}

func listed(route *pipeline.Route, name string) bool {
	return route != nil && slices.Contains(route.Queries, name)
}
