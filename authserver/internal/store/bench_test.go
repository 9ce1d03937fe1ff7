package store_test

import (
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

func benchmarkWrites(b *testing.B, writers int) {
	s, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var n atomic.Int64
	b.SetParallelism(writers) // times GOMAXPROCS, see below
	before := processor(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if first, err := s.UseAssertion(b.Context(), "bench", strconv.FormatInt(n.Add(1), 10), time.Now()); err != nil || !first {
				b.Error(first, err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1e3, "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// Run with -cpu 1 for one writer and for sixteen; with -cpu 2, for twice as many.
func BenchmarkOneWriter(b *testing.B)      { benchmarkWrites(b, 1) }
func BenchmarkSixteenWriters(b *testing.B) { benchmarkWrites(b, 16) }

func BenchmarkCredentials(b *testing.B) {
	s, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.AddSecret(b.Context(), "demo", "d", time.Now()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if c, err := s.Credentials(b.Context(), "demo"); err != nil || c.Digests[0] != "d" {
			b.Fatal(c, err)
		}
	}
}

func BenchmarkChanged(b *testing.B) {
	s, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if _, err := s.Changed(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// processor is the time that this process has computed.
func processor(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
