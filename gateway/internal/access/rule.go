package access

import (
	"fmt"
	"net/netip"
	"strings"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/condition"
	"portcullis/gateway/internal/pipeline"
)

// Rule matches a request when everything it names holds. A rule that names
// nothing matches nothing.
type Rule struct {
	// Name is what tests, metrics and explanations call it: kiosk, or allow[0].
	Name string
	// Label is what events call it: "allow (routes/search.yaml:12)".
	Label string
	// Place is where the policy says so: "routes/search.yaml:12".
	Place string
	// Shadow rules decide nothing; what they would have decided is recorded, and
	// counted by Count, which may be nil.
	Shadow bool
	Count  pipeline.Counter

	// Anyone matches every request, also one without a principal.
	Anyone bool
	// Methods hold when the request's is one of them. A HEAD that a GET route
	// serves counts as GET.
	Methods []Text
	// Clients hold when the principal's client id is one of them.
	Clients []Text
	// Owner is the path parameter that must equal the principal's subject.
	Owner Text
	// Networks hold when one of them contains the source.
	Networks []Network
	// Hours hold when the request comes within one of the spans.
	Hours []Span
	// Claims hold when each of them does.
	Claims []Claim
	// Scopes hold when the principal has all of them.
	Scopes []Text
	// When is a condition in CEL; nil for none.
	When *When
}

// Text is a word of a rule and where the policy says it.
type Text struct{ V, Place string }

// Network is a network and where the policy names it.
type Network struct {
	Prefix netip.Prefix
	Place  string
}

// Claim is a declared claim and the values it may have; a claim that is a list
// must contain one of them. It fails for a token without the claim, and cannot be
// judged for one whose claim has another type.
type Claim struct {
	Name   string
	Type   token.ClaimType
	Values []Text
	Place  string
}

// When is a condition in CEL, and where its conjuncts stand.
type When struct {
	Condition *condition.Condition
	// Places are those of Condition.Offsets.
	Places []string
}

// test is one condition of a rule.
type test interface {
	// state is Holds, Fails or Broken.
	state(tx *pipeline.Transaction) pipeline.State
	// explain says so by the same state, with reasons in words.
	explain(tx *pipeline.Transaction) []pipeline.Reason
}

// rule is a compiled rule.
type rule struct {
	Rule
	kind  pipeline.Kind // what it does to the requests it matches
	tests []test        // cheap before dear, CEL last
}

func newRule(r Rule, kind pipeline.Kind) (*rule, error) {
	made := &rule{Rule: r, kind: kind}
	add := func(named bool, t test) {
		if named {
			made.tests = append(made.tests, t)
		}
	}
	add(r.Anyone, anyone{r.Place})
	add(len(r.Methods) > 0, methods(r.Methods))
	add(len(r.Clients) > 0, clients(r.Clients))
	add(r.Owner.V != "", owner(r.Owner))
	add(len(r.Networks) > 0, networks(r.Networks))
	add(len(r.Hours) > 0, hours(r.Hours))
	for _, c := range r.Claims {
		made.tests = append(made.tests, newClaim(c))
	}
	add(len(r.Scopes) > 0, scopes(r.Scopes))
	if r.When != nil {
		if r.When.Condition == nil || len(r.When.Places) != len(r.When.Condition.Offsets()) {
			return nil, fmt.Errorf("access: the rule at %s has a condition without its places", r.Place)
		}
		made.tests = append(made.tests, when{r.When})
	}
	if len(made.tests) == 0 {
		return nil, fmt.Errorf("access: the rule at %s names nothing that could hold", r.Place)
	}
	return made, nil
}

// gap is what keeps a rule from matching.
type gap uint8

const (
	other   gap = iota
	scope       // scopes, and nothing else
	unknown     // something could not be evaluated, and all else holds
	nothing
)

// unmet asks the tests. A deny rule ends at the first that fails; an allow rule
// goes on after missing scopes, so that "scope" means that nothing else is
// missing.
func (r *rule) unmet(tx *pipeline.Transaction) gap {
	lacking, broken := false, false
	for _, t := range r.tests {
		switch t.state(tx) {
		case pipeline.Holds:
		case pipeline.Broken:
			broken = true
		default:
			if _, ok := t.(scopes); !ok || r.kind == pipeline.Deny || tx.Principal == nil {
				return other
			}
			lacking = true
		}
	}
	switch {
	case lacking && broken:
		return other
	case lacking:
		return scope
	case broken:
		return unknown
	default:
		return nothing
	}
}

// matches reports whether a gap lets the rule have its effect: what cannot be
// evaluated never allows and always denies.
func (r *rule) matches(g gap) bool {
	return g == nothing || g == unknown && r.kind == pipeline.Deny
}

// text is how explanations call the rule.
func (r *rule) text() string {
	if strings.HasPrefix(r.Name, r.kind.String()+"[") {
		return r.Name
	}
	return r.kind.String() + " " + r.Name
}

// explain tells how the rule stands to the request, and whether it matches. Its
// state is what it does to the request: a deny rule that matches Fails.
func (r *rule) explain(tx *pipeline.Transaction) (out pipeline.Reason, matches bool) {
	g := r.unmet(tx)
	matches = r.matches(g)
	out = pipeline.Reason{Text: r.text(), Place: r.Place, Shadow: r.Shadow, State: stated(matches == (r.kind == pipeline.Allow)), Value: "does not match"}
	switch {
	case g == unknown:
		out.State, out.Value = pipeline.Broken, "cannot be evaluated"
	case matches:
		out.Value = "matches"
	}
	var mends []string
	for _, t := range r.tests {
		for _, reason := range t.explain(tx) {
			if r.kind == pipeline.Deny {
				reason.Mend = "" // that a deny rule's condition fails needs no mending
			}
			if reason.Mend != "" {
				mends = append(mends, reason.Mend)
			}
			out.Under = append(out.Under, reason)
		}
	}
	switch {
	case r.kind == pipeline.Allow:
		out.Mend = strings.Join(mends, " and ")
	case matches:
		out.Mend = "one of its conditions did not hold"
	}
	return out, matches
}
