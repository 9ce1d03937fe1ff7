package audit_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portcullis/authserver/internal/audit"
)

func benchmarkAppend(b *testing.B, writers int) {
	l, err := audit.Open(audit.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var failed atomic.Int64
	b.SetParallelism(writers) // times GOMAXPROCS: run with -cpu 1
	before := processor(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Append(b.Context(), record("")); err != nil {
				failed.Add(1)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1e3, "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	if failed.Load() > 0 {
		b.Errorf("%d of %d failed", failed.Load(), b.N)
	}
}

func BenchmarkOneWriter(b *testing.B)      { benchmarkAppend(b, 1) }
func BenchmarkSixteenWriters(b *testing.B) { benchmarkAppend(b, 16) }
func BenchmarkManyWriters(b *testing.B)    { benchmarkAppend(b, 128) }

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l, err := audit.Open(audit.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	const lines = 1000
	for range lines {
		if err := l.Append(b.Context(), record("")); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := audit.Verify(dir, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/lines, "us/line")
}

// processor is the time that this process has computed.
func processor(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
