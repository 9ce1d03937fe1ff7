package compile

import (
	"fmt"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Advise tells what is worth knowing of what a document was compiled into: what
// the proofs of its WAF profiles leave to the rules.
func Advise(doc *policy.Document, s *pipeline.Snapshot) policy.Mistakes {
	return unprovable(doc, func(p *policy.WAFProfile) []waf.Unprovable {
		if i := stateOf(s).inspectors[keyOf(doc, p)]; i != nil {
			return i.Unprovable()
		}
		return nil // no route has it
	})
}

// unprovable notes at each profile what left says of it.
func unprovable(doc *policy.Document, left func(*policy.WAFProfile) []waf.Unprovable) (found policy.Mistakes) {
	for _, p := range doc.WAF {
		at := p.Pos
		if p.Proof.Set {
			at = p.Proof.Pos
		}
		for _, what := range left(p) {
			at := at
			if what.File != "" {
				at = policy.Pos{File: what.File, Line: what.Line, Column: 1}
			}
			m := doc.Excerpt(policy.At(at, policy.CodeUnproved, fmt.Sprintf("WAF profile %q: %s", p.Name.V, what.What), ""))
			m.Severity = policy.Note
			found = append(found, m)
		}
	}
	return found
}
