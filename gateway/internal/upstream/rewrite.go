package upstream

import (
	"fmt"
	"net/textproto"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// RouteOptions are what one route wants of its upstream beyond what its
// pipeline.Route says: that it sees another path and other fields than were
// asked. The zero value sends both as they came.
type RouteOptions struct {
	// StripPrefix is taken off the path; see NewStripPrefix.
	StripPrefix string
	// Path stands in place of the path.
	Path pipeline.Template
	// Fields are set and removed; see NewFields.
	Fields pipeline.Fields
}

// NewFields compiles the fields a route sets and removes towards its upstream.
// What the gateway vouches for itself is refused: the upstream would not know
// any more who says so. Authorization may be set for an upstream that is shown
// no other credential; the credential wins. An error never quotes a value.
func NewFields(set []pipeline.Field, remove []string) (pipeline.Fields, error) {
	for _, s := range set {
		if name := textproto.CanonicalMIMEHeaderKey(s.Name); vouched(name) && name != "Authorization" {
			return pipeline.Fields{}, fmt.Errorf("the field %s is the gateway's to say; a policy cannot set it", name)
		}
	}
	for _, r := range remove {
		if name := textproto.CanonicalMIMEHeaderKey(r); vouched(name) && !repeats(name) {
			return pipeline.Fields{}, fmt.Errorf("the field %s is the gateway's to say; a policy cannot remove it", name)
		}
	}
	return pipeline.NewFields(set, remove)
}

// NewStripPrefix checks that each path of a pattern begins with the prefix, cut
// where a segment ends.
func NewStripPrefix(prefix, pattern string) (string, error) {
	if rest, ok := strings.CutPrefix(pattern, prefix); !strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") ||
		strings.ContainsAny(prefix, "{}*") || !ok || rest != "" && rest[0] != '/' {
		return "", fmt.Errorf("the prefix %q is not made of whole segments with which every path of %q begins", prefix, pattern)
	}
	return prefix, nil
}

// path is what endpoints are asked for. The prefix is a literal of the route's
// pattern, hence of every path that matches.
func (o *RouteOptions) path(tx *pipeline.Transaction) string {
	switch {
	case !o.Path.IsZero():
		return o.Path.Path(tx.Params)
	case o.StripPrefix != "":
		if rest, ok := strings.CutPrefix(tx.Path, o.StripPrefix); ok && strings.HasPrefix(rest, "/") {
			return rest
		} else if ok && rest == "" {
			return "/"
		}
	}
	return tx.Path
}
