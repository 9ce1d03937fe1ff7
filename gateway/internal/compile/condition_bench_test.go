package compile

import (
	"fmt"
	"testing"

	"portcullis/gateway/internal/condition"
)

// BenchmarkConditions is ten thousand different conditions: compiled anew, and
// by a reload that changes none of them.
func BenchmarkConditions(b *testing.B) {
	scope := condition.Scope{Params: []string{"guest"}}
	compile := func(b *testing.B, prev *state) *state {
		build := &build{prev: prev, next: &state{conditions: map[conditionKey]*condition.Condition{}}}
		for i := range 10_000 {
			if _, err := build.condition(fmt.Sprintf("token.client == 'kiosk-%d' && source.ip != '192.0.2.10'", i), scope); err != nil {
				b.Fatal(err)
			}
		}
		return build.next
	}
	b.Run("New", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			compile(b, &state{})
		}
	})
	b.Run("Kept", func(b *testing.B) {
		b.ReportAllocs()
		kept := compile(b, &state{})
		for b.Loop() {
			compile(b, kept)
		}
	})
}
