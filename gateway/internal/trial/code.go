package trial

import "portcullis/policies/policy"

// CodeFailed is the code of a test that fails.
const CodeFailed = "T001"

// Explanations explain the codes of this package.
func Explanations() []policy.Explanation {
	return []policy.Explanation{{
		Code: CodeFailed, Title: "a test of the policies that fails",
		Why:  "The policies do something else than their tests say. One of the two is wrong, and a running gateway does not take over policies whose tests fail.",
		Mend: "gateway test shows what was wanted, what came, and each stage's reason. Mend the policy, or the test if the change was meant. Where more is open now than before, gateway diff says so.",
	}}
}
