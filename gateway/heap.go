package main

import (
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// A gateway holds little and throws away much: with Go's default it collects
// dozens of times a second, for a few MiB. So the heap may grow to five times
// what is alive as long as that stays below roomyHeap; above it the percentage
// falls, down to Go's own. The heap is therefore never larger than the greater
// of roomyHeap and what any Go program would take.
const (
	lazyPercent   = 400
	usualPercent  = 100
	percentStep   = 50
	roomyHeap     = 256 << 20
	percentEnv    = "GOGC"
	liveMetric    = "/gc/heap/live:bytes"
	stacksMetric  = "/gc/scan/stack:bytes"
	globalsMetric = "/gc/scan/globals:bytes"
)

// collectLazily sets the collector for a gateway, unless whoever started it has
// set GOGC. GOMEMLIMIT counts in any case: close to it the runtime collects as
// often as it must, whatever the percentage.
func collectLazily(log *slog.Logger) {
	if _, set := os.LookupEnv(percentEnv); set {
		log.Info("the garbage collector is as GOGC says")
		return
	}
	debug.SetGCPercent(lazyPercent)
	// A finalizer runs after each collection and arms the next one.
	runtime.SetFinalizer(new(collection), func(c *collection) { c.adjust() })
}

// collection is garbage from the beginning: its finalizer tells that the heap
// has been measured anew.
type collection struct{ percent int }

func (c *collection) adjust() {
	samples := [...]metrics.Sample{{Name: liveMetric}, {Name: stacksMetric}, {Name: globalsMetric}}
	metrics.Read(samples[:])
	var live uint64
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			live += s.Value.Uint64()
		}
	}
	// Each change stops the world for a moment, so only steps are made.
	if p := percentFor(live); p != c.percent {
		c.percent = p
		debug.SetGCPercent(p)
	}
	runtime.SetFinalizer(c, func(c *collection) { c.adjust() })
}

// percentFor is how much the heap may grow beyond what is alive, in per cent.
func percentFor(live uint64) int {
	if live >= roomyHeap/2 {
		return usualPercent
	}
	room := int((roomyHeap - live) * 100 / max(live, 1))
	return min(max(room/percentStep*percentStep, usualPercent), lazyPercent)
}
