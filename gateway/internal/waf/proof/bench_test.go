package proof

import (
	"maps"
	"math"
	"slices"
	"syscall"
	"testing"
)

// cpu is the CPU time this process has used, in nanoseconds. On a shared machine
// only that can be compared.
func cpu(b testing.TB) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano() + used.Stime.Nano())
}

// perRound is the least CPU time of a call over several batches.
func perRound(b testing.TB, calls int, f func()) float64 {
	f()
	least := math.Inf(1)
	for range 8 {
		before := cpu(b)
		for range calls {
			f()
		}
		least = min(least, (cpu(b)-before)/float64(calls))
	}
	return least
}

// BenchmarkAgainstTheEngine prints what a verdict costs beside the engine in
// the same run.
func BenchmarkAgainstTheEngine(b *testing.B) {
	for _, paranoia := range []int{1, 2} {
		p, w := program(b, paranoia, ""), engine(b, paranoia, "")
		cases := theCases()
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			b.Run(name, func(b *testing.B) {
				r := cases[name]
				for b.Loop() {
					p.asked(r)
				}
				calls := 500
				if len(r.body) > 0 {
					calls = 100
				}
				ours := perRound(b, calls, func() { p.asked(r) })
				theirs := perRound(b, 2, func() { effects(w, r) })
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ours/1000, "proof-us")
				b.ReportMetric(theirs/1000, "engine-us")
				b.ReportMetric(theirs/ours, "times")
				b.ReportMetric(float64(paranoia), "paranoia")
				b.ReportMetric(testing.AllocsPerRun(50, func() { p.asked(r) }), "proof-allocs")
			})
		}
	}
}

// BenchmarkCompile is what a policy costs when it is loaded.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		program(b, 1, "")
	}
}
