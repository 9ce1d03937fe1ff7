package compile

import (
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// WAFProfile is a profile of the policies as its rule set is loaded, and its
// patches and exclusions.
func WAFProfile(doc *policy.Document, p *policy.WAFProfile) (waf.Profile, []waf.Patch, []waf.Exclusion) {
	return keyOf(doc, p).Profile, patchesOf(doc, p), exclusionsOf(p)
}
