package compile

import (
	"testing"

	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

func TestWhatAProofLeavesToTheRulesIsANoteAtItsProfile(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	doc := f.document(written(t))
	found := unprovable(doc, func(p *policy.WAFProfile) []waf.Unprovable {
		return []waf.Unprovable{{What: "rule 10003 at line 3: operator @inspectFile is not provable"}}
	})
	if len(found) != 1 || found[0].Severity != policy.Note || found[0].Code != policy.CodeUnproved || found[0].Pos.Line == 0 ||
		found[0].What != `WAF profile "api": rule 10003 at line 3: operator @inspectFile is not provable` {
		t.Errorf("%+v", found)
	}
	// Of the Core Rule Set nothing is left.
	if found := Advise(doc, f.compile(nil)); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
