package compile

import (
	"errors"
	"slices"

	"portcullis/gateway/internal/condition"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Pieces compiles what stands alone in a document that Load has read and
// Validate has found mistakes in: conditions, schemas of bodies, WAF profiles.
// The error holds their mistakes, so that they are told together with the
// others. It says nothing of how the pieces fit.
func (c *Compiler) Pieces(doc *policy.Document) error {
	b := &build{Config: c.config, doc: doc, prev: stateOf(nil), next: &state{
		inspectors: map[profile]*waf.Inspector{}, conditions: map[conditionKey]*condition.Condition{},
	}}
	for _, p := range doc.WAF {
		if _, err := b.inspector(p); err != nil && !errors.Is(err, errRecorded) {
			b.mistakes = append(b.mistakes, err)
		}
	}
	for _, r := range doc.Routes {
		e := doc.Effective(r)
		for _, rule := range slices.Concat(r.Allow, r.Deny) {
			b.when(r, e, rule.When)
		}
		if _, err := b.validate(r); err != nil && !errors.Is(err, errRecorded) {
			b.mistakes = append(b.mistakes, err)
		}
	}
	return policy.Join(b.mistakes...)
}
