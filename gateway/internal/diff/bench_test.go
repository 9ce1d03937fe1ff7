package diff_test

import (
	"fmt"
	"testing"

	"portcullis/gateway/internal/diff"
	"portcullis/policies/policy"
)

// Ten thousand routes beside themselves with one rule more.
func BenchmarkCompareTenThousandRoutes(b *testing.B) {
	old := many(10_000)
	now := copied(old)
	now.Routes[5_000].Allow = append(now.Routes[5_000].Allow, &policy.Rule{Scopes: sets([]string{"admin"})})
	for b.Loop() {
		if r := diff.Compare(old, now); len(r.Of(diff.Widens)) != 1 {
			b.Fatal(r.Findings)
		}
	}
}

// many are routes of one service each: twenty in five hundred folders, with
// parameters, a condition in every tenth, and one that takes what is left.
func many(n int) *policy.Document {
	doc := document()
	for i := range n {
		r := &policy.Route{
			Name: set(fmt.Sprint("r", i)), Upstream: set("u"), NoLimits: set("none"), NoWAF: set("none"), Authenticate: sets([]string{"hotel"}),
			Match: set(fmt.Sprintf("GET /v1/s%d/{a}/p%d/{b}", i/20, i%20)),
			Allow: []*policy.Rule{{Scopes: sets([]string{"read"}), Owner: set("a")}, {Scopes: sets([]string{"read", "write"})}},
			Deny:  []*policy.Rule{{Clients: sets([]string{"kiosk"})}},
		}
		if i%10 == 0 {
			r.Deny = append(r.Deny, &policy.Rule{When: set("token.client == 'app' && request.headers['x'] != '1'")})
		}
		doc.Routes = append(doc.Routes, r)
	}
	doc.Routes = append(doc.Routes, &policy.Route{
		Name: set("rest"), Upstream: set("u"), NoLimits: set("none"), NoWAF: set("none"), Authenticate: sets([]string{"hotel"}),
		Match: set("GET /*"), Allow: []*policy.Rule{{Scopes: sets([]string{"rest"})}},
	})
	return doc
}
