package access

import (
	"errors"
	"slices"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Authorize is the stage that asks the rules: one allow rule must match, and
// no deny rule may.
type Authorize struct {
	allow, deny []*rule
	shadows     []*rule // of both, deny first
}

// NewAuthorize returns the stage. A route without an allow rule that is
// enforced could never be used and is an error.
func NewAuthorize(allow, deny []Rule) (*Authorize, error) {
	a := &Authorize{}
	for _, list := range []struct {
		of   []Rule
		kind pipeline.Kind
		into *[]*rule
	}{{deny, pipeline.Deny, &a.deny}, {allow, pipeline.Allow, &a.allow}} {
		for _, r := range list.of {
			made, err := newRule(r, list.kind)
			if err != nil {
				return nil, err
			}
			*list.into = append(*list.into, made)
			if r.Shadow {
				a.shadows = append(a.shadows, made)
			}
		}
	}
	if !slices.ContainsFunc(a.allow, func(r *rule) bool { return !r.Shadow }) {
		return nil, errors.New("access: authorize needs at least one allow rule that is enforced")
	}
	return a, nil
}

// Name is "authorize".
func (*Authorize) Name() string { return "authorize" }

// Reads are the header fields and query parameters that the rules look at.
func (a *Authorize) Reads() (all pipeline.Reads) {
	for _, r := range slices.Concat(a.deny, a.allow) {
		if r.When != nil {
			all = all.And(r.When.Condition.Reads())
		}
	}
	return all
}

// Decide denies with 403. When nothing but scopes is missing it says which, as
// RFC 6750 section 3.1 asks. Rules in shadow are asked once the decision
// stands.
func (a *Authorize) Decide(tx *pipeline.Transaction) error {
	refusedBy, err := a.enforce(tx)
	for _, r := range a.shadows {
		if r.wouldTurn(tx, refusedBy, err) {
			tx.WouldHave(pipeline.Shadow{Stage: a.Name(), Rule: r.Name, Place: r.Place, Would: r.kind, Count: r.Count})
		}
	}
	return err
}

// enforce is the decision, with the deny rule that made it.
func (a *Authorize) enforce(tx *pipeline.Transaction) (refusedBy *rule, err error) {
	for _, r := range a.deny {
		if !r.Shadow && r.matches(r.unmet(tx)) {
			tx.Rule = r.Label
			return r, problem.New(problem.Forbidden, "")
		}
	}
	var lacking *rule
	for _, r := range a.allow {
		if r.Shadow {
			continue
		}
		switch r.unmet(tx) {
		case nothing:
			tx.Rule = r.Label
			return nil, nil
		case scope:
			if lacking == nil {
				lacking = r
			}
		}
	}
	if lacking != nil {
		return nil, token.Challenge(problem.New(problem.InsufficientScope, ""), pipeline.Realm, lacking.scopeNames()...)
	}
	return nil, problem.New(problem.Forbidden, "")
}

func (r *rule) scopeNames() []string {
	names := make([]string, len(r.Scopes))
	for i, s := range r.Scopes {
		names[i] = s.V
	}
	return names
}

// wouldTurn reports whether a rule in shadow would have turned the decision had it
// been enforced, it alone: a deny rule what was allowed, an allow rule what no
// deny rule refused.
func (r *rule) wouldTurn(tx *pipeline.Transaction, refusedBy *rule, refusal error) bool {
	if r.kind == pipeline.Deny && refusal != nil || r.kind == pipeline.Allow && (refusal == nil || refusedBy != nil) {
		return false
	}
	return r.matches(r.unmet(tx))
}

// Explain is a reason for each rule, in the order they were asked: deny first.
// What comes after the rule that decided was not asked.
func (a *Authorize) Explain(tx *pipeline.Transaction, _ pipeline.Decision) []pipeline.Reason {
	reasons := make([]pipeline.Reason, 0, len(a.deny)+len(a.allow))
	decided := false
	for _, r := range slices.Concat(a.deny, a.allow) {
		if decided && !r.Shadow {
			reasons = append(reasons, pipeline.Reason{Text: r.text(), State: pipeline.Unasked, Place: r.Place})
			continue
		}
		reason, matches := r.explain(tx)
		reasons = append(reasons, reason)
		decided = decided || matches && !r.Shadow
	}
	return reasons
}
