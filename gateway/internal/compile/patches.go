package compile

import (
	"crypto/sha256"
	"fmt"

	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// patchesOf are the patches of a profile with the texts of their files.
func patchesOf(doc *policy.Document, p *policy.WAFProfile) []waf.Patch {
	var all []waf.Patch
	for _, patch := range p.Patches {
		text, _ := doc.File(patch.File.V) // Load has read it, or there is no document
		all = append(all, waf.Patch{File: patch.File.V, Text: string(text), MustPass: policy.Values(patch.MustPass), MustBlock: policy.Values(patch.MustBlock)})
	}
	return all
}

// patchesKey stands for the patches of a profile, which may be a megabyte.
func patchesKey(patches []waf.Patch) string {
	if len(patches) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%#v", patches)))
}

// wrongPatch records why a patch cannot be used: at the line of its file, at the
// request that shows it, or where the profile names it.
func (b *build) wrongPatch(p *policy.WAFProfile, m *waf.PatchMistake) {
	patch := p.Patches[m.Patch]
	at := patch.Pos
	switch {
	case m.Line > 0:
		at = policy.Pos{File: patch.File.V, Line: m.Line, Column: 1}
	case m.MustPass >= 0:
		at = patch.MustPass[m.MustPass].Pos
	case m.MustBlock >= 0:
		at = patch.MustBlock[m.MustBlock].Pos
	}
	mistake := b.doc.Excerpt(policy.At(at, CodePatch, fmt.Sprintf("a patch of WAF profile %q cannot be used: %s", p.Name.V, m.What), m.Mend))
	mistake.Why = m.Why
	b.mistakes = append(b.mistakes, mistake)
}
