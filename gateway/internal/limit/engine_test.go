package limit_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/gateway/internal/limit"
)

func TestCountsSurviveBindingTheSameNameAgain(t *testing.T) {
	e, now := newEngine(t, 0), time.Now()
	l := limit.Limit{Name: "per-source", Count: 5, Per: time.Hour}
	first := e.Bind([]limit.Limit{l})
	admitted(first, now, from("192.0.2.1"), 3)
	second := e.Bind([]limit.Limit{{Name: "new", Count: 100, Per: time.Hour}, l})
	if got := admitted(second, now, from("192.0.2.1"), 10); got != 2 {
		t.Errorf("%d were left after a reload, want 2", got)
	}
	runtime.KeepAlive(first)
}

func TestAChangedRateHoldsFromNowOn(t *testing.T) {
	slow := limit.Limit{Name: "l", Count: 10, Per: time.Hour, Burst: 10}
	fast := limit.Limit{Name: "l", Count: 10, Per: time.Second, Burst: 5}
	tests := []struct {
		name     string
		old, new limit.Limit
		wait     time.Duration
		most     int
		least    int
	}{
		{"a spent slow limit that became fast is not waited for by the hour", slow, fast, time.Second, 5, 5},
		{"a spent limit that became fast starts out spent", slow, fast, 0, 0, 0},
		{"a spent fast limit that became slow is never more than its new burst", fast, slow, 0, 10, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, now := newEngine(t, 0), time.Now()
			old := e.Bind([]limit.Limit{test.old})
			exhaust(old, now, from("192.0.2.1"))
			set := e.Bind([]limit.Limit{test.new})
			if _, denied := set.Decide(now, from("192.0.2.1"), nil); denied != nil && test.most == 5 {
				if denied.RetryAfter != 100*time.Millisecond {
					t.Errorf("Retry-After is %s, want the new rate's 100ms", denied.RetryAfter)
				}
			}
			if got := admitted(set, now.Add(test.wait), from("192.0.2.1"), 20); got > test.most || got < test.least {
				t.Errorf("admitted %d, want %d to %d", got, test.least, test.most)
			}
			runtime.KeepAlive(old)
		})
	}
}

func TestALimitNamedTwiceCountsOnce(t *testing.T) {
	l := limit.Limit{Name: "twice", Count: 4, Per: time.Hour}
	set := newEngine(t, 0).Bind([]limit.Limit{l, l})
	if got := admitted(set, time.Now(), from("192.0.2.1"), 10); got != 4 {
		t.Errorf("admitted %d, want 4", got)
	}
}

func TestAnEngineWithTooFewKeysIsRefused(t *testing.T) {
	for _, keys := range []int{-1, 1, 511} {
		if _, err := limit.NewEngine(limit.Config{Keys: keys}); err == nil {
			t.Errorf("%d keys were taken", keys)
		}
	}
}

// Two sets with the same limits in opposite order, asked from many goroutines,
// neither lock each other out nor admit one request too many.
func TestManyAtOnceAreAdmittedToTheLastAndNoneMore(t *testing.T) {
	const workers, each, burst = 8, 25_000, 5000
	e, now := newEngine(t, 0), time.Now()
	a := limit.Limit{Name: "a", By: limit.RouteKey, Count: burst, Per: time.Hour}
	b := limit.Limit{Name: "b", By: limit.Source, Count: 2 * burst, Per: time.Hour}
	sets := []*limit.Set{e.Bind([]limit.Limit{a, b}), e.Bind([]limit.Limit{b, a})}
	var yes atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { yes.Add(int64(admitted(sets[w%2], now, from("192.0.2.1"), each))) })
	}
	wg.Wait()
	if yes.Load() != burst {
		t.Errorf("admitted %d, want %d", yes.Load(), burst)
	}
	if got := admitted(e.Bind([]limit.Limit{b}), now, from("192.0.2.1"), 3*burst); got != burst {
		t.Errorf("the other limit had %d left, want %d", got, burst)
	}
	runtime.KeepAlive(sets) // a limit that no live set names is forgotten
}

// Requests read their clock before they are decided, so times may come out of
// order; that must never add to what is admitted.
func TestTimesOutOfOrderAdmitNothingExtra(t *testing.T) {
	set, now := newEngine(t, 0).Bind([]limit.Limit{{Name: "l", Count: 10, Per: time.Second, Burst: 10}}), time.Now()
	yes := admitted(set, now, from("192.0.2.1"), 20)
	for i := range 1000 {
		yes += admitted(set, now.Add(-time.Duration(i)*time.Millisecond), from("192.0.2.1"), 1)
		yes += admitted(set, now, from("192.0.2.1"), 1)
	}
	if yes != 10 {
		t.Errorf("admitted %d, want 10", yes)
	}
}

func TestADecisionAllocatesNothing(t *testing.T) {
	e, now := newEngine(t, 0), time.Now()
	set := e.Bind([]limit.Limit{
		{Name: "source", By: limit.Source, Count: 50, Per: time.Hour},
		{Name: "principal", By: limit.Principal, Count: 60, Per: time.Hour},
		{Name: "client", By: limit.Client, Count: 70, Per: time.Hour, Clients: []string{"web", "demo"}},
		{Name: "route", By: limit.RouteKey, Count: 80, Per: time.Hour},
	})
	c := as("hotel", "g-7", "demo")
	states, _ := set.Decide(now, c, nil)
	// The first half is admitted, the rest denied.
	if n := testing.AllocsPerRun(100, func() { states, _ = set.Decide(now, c, states[:0]) }); n != 0 {
		t.Errorf("%v allocations a decision, want 0", n)
	}
}
