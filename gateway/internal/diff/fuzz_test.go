package diff_test

import (
	"testing"

	"portcullis/gateway/internal/diff"
	"portcullis/policies/policy"
)

// Whatever a condition says, it is the same as itself.
func FuzzAConditionIsTheSameAsItself(f *testing.F) {
	for _, when := range []string{
		"token.client == 'kiosk' && !(source.ip in ['a', 'b'])", "token.scopes.exists(params, params == 'a')", "{'a': 1}['a'] < 2 ? true : params.a == 'x'",
		"request.size >= -9223372036854775808", ".token.sub != .params.b", "[1, 2u, 3.0, b'x', null].size() > 0", "((", "true || 'r' in token.scopes",
	} {
		f.Add(when)
	}
	f.Fuzz(func(t *testing.T, when string) {
		route := &policy.Route{Match: set("GET /{a}/{b}")}
		if report := diff.Compare(single(route, when, when), single(route, when, when)); len(report.Findings) != 0 {
			t.Errorf("%q: %v", when, report.Findings)
		}
	})
}
