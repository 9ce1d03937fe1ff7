package compile

import (
	"slices"

	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// The two stages that ask limits.
const sourceLimit, principalLimit = "source-limit", "principal-limit"

// limits splits a route's limits into those that need no principal, which are
// asked before anything is parsed, and the others.
func (b *build) limits(route string, names []string) (source, principal []limit.Limit) {
	for _, name := range names {
		i := slices.IndexFunc(b.doc.Limits, func(l *policy.Limit) bool { return l.Name.V == name })
		if i < 0 {
			continue // Validate has named it
		}
		p := b.doc.Limits[i]
		l := limit.Limit{
			Name: name, By: limitKey(p.By.V), Count: p.Rate.V.Count, Per: p.Rate.V.Per, Burst: p.Burst.V, Clients: policy.Values(p.Clients),
			Place: place(p.Pos), Shadow: p.Mode.V == shadow,
		}
		stage, to := sourceLimit, &source
		if l.By != limit.Source || len(l.Clients) > 0 {
			stage, to = principalLimit, &principal
		}
		if l.Shadow {
			l.Denials = b.shadow(route, stage, name, pipeline.Deny)
		}
		*to = append(*to, l)
	}
	return source, principal
}

func limitKey(by string) limit.Key {
	switch by {
	case "principal":
		return limit.Principal
	case "client":
		return limit.Client
	case "route":
		return limit.RouteKey
	default:
		return limit.Source
	}
}
