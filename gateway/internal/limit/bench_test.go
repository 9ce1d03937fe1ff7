package limit_test

import (
	"encoding/binary"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/go-chi/httprate"

	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
)

const benchKeys = 100_000

func manyCallers() []limit.Caller {
	callers := make([]limit.Caller, benchKeys)
	for i := range callers {
		callers[i] = as("hotel", "g-"+string(binary.BigEndian.AppendUint32(nil, uint32(i))), "demo")
		callers[i].Source = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return callers
}

func benchLimits(n int) []limit.Limit {
	return []limit.Limit{
		{Name: "source", By: limit.Source, Count: 1e6, Per: time.Second},
		{Name: "principal", By: limit.Principal, Count: 1e6, Per: time.Second},
		{Name: "client", By: limit.Client, Count: 1e8, Per: time.Second},
		{Name: "route", By: limit.RouteKey, Count: 1e8, Per: time.Second},
	}[:n]
}

func BenchmarkDecide(b *testing.B) {
	callers := manyCallers()
	for name, n := range map[string]int{"limits=1": 1, "limits=2": 2, "limits=4": 4} {
		b.Run(name, func(b *testing.B) {
			set := newEngine(b, 0).Bind(benchLimits(n))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				states := make([]pipeline.LimitState, 0, n)
				for i := 0; pb.Next(); i++ {
					states, _ = set.Decide(time.Now(), callers[i*7919%benchKeys], states[:0])
				}
			})
		})
	}
}

func BenchmarkStage(b *testing.B) {
	e := newEngine(b, 0)
	stages := []pipeline.Stage{limit.NewStage("source-limit", e, benchLimits(4)[:1]), limit.NewStage("principal-limit", e, benchLimits(4)[1:3])}
	route := &pipeline.Route{Name: "list-hotels", Stages: stages}
	c := as("hotel", "g-7", "demo")
	tx := &pipeline.Transaction{}
	b.ReportAllocs()
	for b.Loop() {
		tx.Reset()
		tx.Start, tx.Route, tx.Source, tx.Principal = time.Now(), route, c.Source, c.Principal
		for _, s := range stages {
			if err := s.Decide(tx); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAgainstHttprate asks both the same question in the same run, with
// as many keys, and reports how many of our decisions one of httprate's costs.
func BenchmarkAgainstHttprate(b *testing.B) {
	callers := manyCallers()
	keys := make([]string, len(callers))
	for i := range callers {
		keys[i] = callers[i].Source.String()
	}
	set := newEngine(b, 0).Bind(benchLimits(1))
	counter := httprate.NewLocalLimitCounter(time.Second)
	limiter := httprate.NewRateLimiter(1e6, time.Second, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)

	var ours, theirs, whole time.Duration
	var states []pipeline.LimitState
	const batch = 1000
	rounds := 0
	for b.Loop() {
		at := rounds * batch
		rounds++
		start := time.Now()
		for i := range batch {
			states, _ = set.Decide(time.Now(), callers[(at+i)*7919%benchKeys], states[:0])
		}
		ours += time.Since(start)

		start = time.Now()
		for i := range batch {
			now, key := time.Now().UTC(), keys[(at+i)*7919%benchKeys]
			window := now.Truncate(time.Second)
			if _, _, err := counter.Get(key, window, window.Add(-time.Second)); err != nil {
				b.Fatal(err)
			}
			if err := counter.IncrementBy(key, window, 1); err != nil {
				b.Fatal(err)
			}
		}
		theirs += time.Since(start)

		start = time.Now()
		for i := range batch {
			limiter.OnLimit(w, r, keys[(at+i)*7919%benchKeys])
		}
		whole += time.Since(start)
	}
	n := float64(rounds * batch)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours)/n, "ns/ours")
	b.ReportMetric(float64(theirs)/n, "ns/httprate-counter")
	b.ReportMetric(float64(whole)/n, "ns/httprate-limiter")
	b.ReportMetric(float64(theirs)/float64(ours), "counter/ours")
	b.ReportMetric(float64(whole)/float64(ours), "limiter/ours")
}
