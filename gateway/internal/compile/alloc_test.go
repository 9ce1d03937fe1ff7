package compile

import (
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// decideAllocs is what deciding on a request allocates without WAF: the two
// RateLimit fields, rendered by both limit stages (the second knows more), and
// the map that takes them to the answer. Nothing else may.
const decideAllocs = 6

// loop is what the stages do for one more request on a kept connection.
func loop(tb testing.TB) func() {
	f := newFixture(tb, fine)
	s, bearer := f.compile(nil), f.mint()
	tx := f.ask(s, "/hotels/h-7", bearer)
	request, route, path := tx.Request, tx.Route, tx.Path
	if len(route.Stages) != 5 {
		tb.Fatalf("%d stages, want all but inspect", len(route.Stages))
	}
	now := time.Now()
	return func() {
		now = now.Add(time.Microsecond) // never faster than the limits allow
		source := tx.Source
		tx.Reset()
		tx.Request, tx.Start, tx.Snapshot, tx.Route, tx.Path, tx.Source = request, now, s, route, path, source
		if d := pipeline.Decide(tx); d.Kind != pipeline.Allow {
			tb.Fatalf("refused by %s: %v", d.Stage, d.Problem)
		}
		tx.Done()
	}
}

func TestDecidingAllocatesLittle(t *testing.T) {
	once := loop(t)
	if n := testing.AllocsPerRun(500, once); n > decideAllocs && !raceEnabled {
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
