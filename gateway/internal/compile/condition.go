package compile

import (
	"errors"
	"fmt"
	"strings"

	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/condition"
	"portcullis/policies/policy"
)

// conditionKey is what a compiled condition depends on. Where it stands is not
// in it: routes of the same pattern share theirs, and a reload of ten thousand
// routes compiles what is new.
type conditionKey struct{ text, scope string }

// when is the condition of a rule in CEL, or nil where it has none or the
// mistakes in it have been recorded.
func (b *build) when(p *policy.Route, e policy.Effective, v policy.Value[string]) *access.When {
	if !v.Set {
		return nil
	}
	c, err := b.condition(v.V, condition.Scope{Params: policy.Params(p.Match.V), Claims: b.declared()})
	if mistakes, ok := errors.AsType[condition.Mistakes](err); ok {
		for _, m := range mistakes {
			b.wrong(b.doc.Within(v, m.Offset), CodeCondition, m.What, m.Hint)
		}
		return nil
	}
	if err != nil {
		b.wrong(v.Pos, CodeCondition, err.Error(), "")
		return nil
	}
	for _, use := range c.Uses() {
		if strings.HasPrefix(use.Name, "token.") && len(e.Authenticate) == 0 {
			b.wrong(b.doc.Within(v, use.Offset), CodeCondition, fmt.Sprintf("%s asks who calls, and route %q does not authenticate", use.Name, p.Name.V),
				"authenticate, or ask for something of request or source")
			return nil
		}
	}
	w := &access.When{Condition: c}
	for _, offset := range c.Offsets() {
		w.Places = append(w.Places, b.doc.Within(v, offset).String())
	}
	return w
}

// condition compiles one, unless this compilation or the one before has.
func (b *build) condition(text string, scope condition.Scope) (*condition.Condition, error) {
	key := conditionKey{text, scope.Key()}
	for _, from := range []*state{b.next, b.prev} {
		if kept := from.conditions[key]; kept != nil {
			b.next.conditions[key] = kept
			return kept, nil
		}
	}
	if b.conditions == nil {
		made, err := condition.New()
		if err != nil {
			return nil, err
		}
		b.conditions = made
	}
	made, err := b.conditions.Compile(text, scope)
	if err != nil {
		return nil, err
	}
	b.next.conditions[key] = made
	return made, nil
}
