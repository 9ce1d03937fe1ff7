//go:build !race

package compile

// The race detector makes pools forget on purpose.

import (
	"slices"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// decideAllocs is what deciding on a request allocates without WAF: the two
// RateLimit fields, rendered by both limit stages (the second knows more), and
// the map that takes them to the answer. Nothing else may.
const decideAllocs = 6

// loop is what the stages do for one more request on a kept connection.
func loop(tb testing.TB, edits ...string) func() {
	f := newFixture(tb, fine)
	s, bearer := f.compile(nil, edits...), f.mint()
	tx := f.ask(s, "/hotels/h-7", bearer)
	request, route, path, params := tx.Request, tx.Route, tx.Path, slices.Clone(tx.Params)
	if len(route.Stages) != 5 {
		tb.Fatalf("%d stages, want all but inspect", len(route.Stages))
	}
	now := time.Now()
	return func() {
		now = now.Add(time.Microsecond) // never faster than the limits allow
		source := tx.Source
		tx.Reset()
		tx.Params = append(tx.Params, params...)
		tx.Request, tx.Start, tx.Snapshot, tx.Route, tx.Path, tx.Source = request, now, s, route, path, source
		if d := pipeline.Decide(tx); d.Kind != pipeline.Allow {
			tb.Fatalf("refused by %s: %v", d.Stage, d.Problem)
		}
		tx.Done()
	}
}

func TestDecidingAllocatesLittle(t *testing.T) {
	once := loop(t)
	if n := testing.AllocsPerRun(500, once); n > decideAllocs {
		t.Errorf("%v allocations, want at most %d", n, decideAllocs)
	}
}

func TestAConditionAllocatesNothingMore(t *testing.T) {
	once := loop(t, `match: "GET /hotels/{hotel}", allow: [{scopes: [read]}]`,
		`match: "GET /hotels/{hotel}", allow: [{scopes: [read], when: "token.client != 'kiosk' && source.ip != '192.0.2.10' && params.hotel != token.sub"}]`)
	if n := testing.AllocsPerRun(500, once); n > decideAllocs {
		t.Errorf("%v allocations, want at most %d", n, decideAllocs)
	}
}

func BenchmarkDecide(b *testing.B) {
	once := loop(b)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}
