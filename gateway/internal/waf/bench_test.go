package waf

import (
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// oneKiB is a booking with 45 members.
func oneKiB() string {
	var b strings.Builder
	b.WriteString(`{"guest":{"id":4711,"name":"Maija Virtanen","email":"maija@example.com"},"note":"late arrival, thanks","rooms":[`)
	for i := 0; b.Len() < 940; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"room":"R-%05d","nights":%d,"price":%d.99,"title":"Double room number %d"}`, i, i%7+1, i*3+80, i)
	}
	b.WriteString(`]}`)
	return b.String()
}

// BenchmarkInspect reports the CPU time of this process next to the wall time:
// on a shared machine only the first can be compared. Paranoia is 1; detection at 2 adds about 70 %.
func BenchmarkInspect(b *testing.B) {
	body := oneKiB()
	for name, make := range map[string]func() *pipeline.Transaction{
		"GET": func() *pipeline.Transaction { return request("GET", "/v1/hotels/h-1", "", "") },
		"GET5args": func() *pipeline.Transaction {
			return request("GET", "/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2&page=1", "", "")
		},
		"JSON1KiB": func() *pipeline.Transaction { return request("POST", "/v1/reservations", "application/json", body) },
		"JSONbound": func() *pipeline.Transaction {
			return request("POST", "/v1/reservations", "application/json", list(254))
		},
		"JSON64KiB": func() *pipeline.Transaction {
			return request("POST", "/v1/reservations", "application/json", `{"note":"`+strings.Repeat("a quiet room by the sea ", 2700)+`"}`)
		},
	} {
		b.Run(name, func(b *testing.B) {
			i, err := New(Config{Profile: Profile{Name: "bench"}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			stage := NewStage(NewGate(0), &Use{Inspector: i})
			b.ReportAllocs()
			before := cpu(b)
			n := 0
			for b.Loop() {
				if err := stage.Decide(make()); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(n), "cpu-ns/op")
		})
	}
}

// cpu is the CPU time this process has used, in nanoseconds.
func cpu(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkLoad is what a profile costs when a policy is loaded, without an
// exclusion and with one that is proved.
func BenchmarkLoad(b *testing.B) {
	inspector(b) // the first warms the engine's cache
	for name, exclusions := range map[string][]Exclusion{"plain": nil, "exclusion": {quoted()}} {
		b.Run(name, func(b *testing.B) {
			before, n := cpu(b), 0
			for b.Loop() {
				if _, err := New(Config{Profile: Profile{Name: "bench"}, Exclusions: exclusions, Log: slog.New(slog.DiscardHandler)}); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(n)/1e6, "cpu-ms/op")
		})
	}
}
