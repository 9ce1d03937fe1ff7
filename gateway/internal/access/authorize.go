package access

import (
	"errors"
	"slices"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Rule matches a request when everything it names holds. A rule that names
// nothing matches nothing.
type Rule struct {
	// Place is where the policy says so: "allow (routes/search.yaml:12)".
	Place string
	// Scopes that the principal must all have.
	Scopes []string
	// Owner is the path parameter that must equal the principal's subject.
	Owner string
	// Clients are the client ids, one of which the principal must be.
	Clients []string
	// Anyone matches every request, also one without a principal.
	Anyone bool
}

// Authorize is the stage that asks the rules: one allow rule must match, and
// no deny rule may.
type Authorize struct{ allow, deny []Rule }

// NewAuthorize returns the stage. A route without an allow rule could never be
// used and is an error.
func NewAuthorize(allow, deny []Rule) (*Authorize, error) {
	if len(allow) == 0 {
		return nil, errors.New("access: authorize needs at least one allow rule")
	}
	for _, r := range append(slices.Clone(allow), deny...) {
		if !r.Anyone && len(r.Scopes) == 0 && r.Owner == "" && len(r.Clients) == 0 {
			return nil, errors.New("access: the rule at " + r.Place + " names nothing that could hold")
		}
	}
	return &Authorize{allow: slices.Clone(allow), deny: slices.Clone(deny)}, nil
}

// Name is "authorize".
func (*Authorize) Name() string { return "authorize" }

// Decide denies with 403. When nothing but scopes is missing it says which, as
// RFC 6750 section 3.1 asks.
func (a *Authorize) Decide(tx *pipeline.Transaction) error {
	for i := range a.deny {
		if a.deny[i].unmet(tx) == nothing {
			tx.Rule = a.deny[i].Place
			return problem.New(problem.Forbidden, "")
		}
	}
	var lacking []string
	for i := range a.allow {
		switch a.allow[i].unmet(tx) {
		case nothing:
			tx.Rule = a.allow[i].Place
			return nil
		case scopes:
			if lacking == nil {
				lacking = a.allow[i].Scopes
			}
		}
	}
	if lacking != nil {
		return token.Challenge(problem.New(problem.InsufficientScope, ""), pipeline.Realm, lacking...)
	}
	return problem.New(problem.Forbidden, "")
}

// gap is the first thing a rule names that does not hold.
type gap uint8

const (
	other gap = iota
	scopes
	nothing
)

// unmet looks at scopes last, so that "scopes" means that nothing else is
// missing.
func (r *Rule) unmet(tx *pipeline.Transaction) gap {
	if r.Anyone {
		return nothing
	}
	p := tx.Principal
	if p == nil {
		return other
	}
	if r.Owner != "" {
		owner, ok := tx.Params.Get(r.Owner)
		if !ok || owner == "" || owner != p.Subject {
			return other
		}
	}
	if len(r.Clients) > 0 && !slices.Contains(r.Clients, p.Client) {
		return other
	}
	if !hasAll(p, r.Scopes) {
		return scopes
	}
	return nothing
}

func hasAll(p *token.Principal, want []string) bool {
	for _, s := range want {
		if !p.Has(s) {
			return false
		}
	}
	return true
}
