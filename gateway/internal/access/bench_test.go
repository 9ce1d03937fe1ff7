package access_test

import (
	"testing"

	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
)

// BenchmarkCondition is the same rule in CEL, in plain words of a policy, and as
// Go would have it.
func BenchmarkCondition(b *testing.B) {
	const rule = "'search:read' in token.scopes && request.method == 'GET' && token.sub == params.guest"
	run := func(b *testing.B, holds func(tx *pipeline.Transaction) bool) {
		tx := asked()
		b.ReportAllocs()
		for b.Loop() {
			if !holds(tx) {
				b.Fatal("denied")
			}
		}
	}
	decided := func(r access.Rule) func(tx *pipeline.Transaction) bool {
		stage := authorize(b, []access.Rule{r}, nil)
		return func(tx *pipeline.Transaction) bool { return stage.Decide(tx) == nil }
	}
	b.Run("CEL", func(b *testing.B) { run(b, decided(access.Rule{When: cel(b, rule)})) })
	b.Run("CELTwoConjuncts", func(b *testing.B) {
		run(b, decided(access.Rule{When: cel(b, "token.client == 'kiosk' && source.ip != '192.0.2.10'")}))
	})
	b.Run("Words", func(b *testing.B) {
		run(b, decided(access.Rule{Scopes: texts("search:read"), Methods: texts("GET"), Owner: text("guest")}))
	})
	b.Run("Go", func(b *testing.B) {
		run(b, func(tx *pipeline.Transaction) bool {
			guest, ok := tx.Params.Get("guest")
			return ok && tx.Principal.Has("search:read") && tx.Request.Method == "GET" && tx.Principal.Subject == guest
		})
	})
}
