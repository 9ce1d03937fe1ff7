package waf

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
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

// BenchmarkProof is what the whole stage costs with the proof and without it, in
// CPU time of one run, with values that no request before had. Its last cases are
// not clean: there only the rules that may match are asked.
func BenchmarkProof(b *testing.B) {
	for _, paranoia := range []int{1, 2} {
		modes := map[Proof]pipeline.Stage{}
		for _, mode := range []Proof{ProofOn, ProofOff} {
			i, err := New(Config{Profile: Profile{Name: "bench", BlockingParanoia: paranoia, Proof: mode}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			modes[mode] = NewStage(NewGate(0), &Use{Inspector: i})
		}
		tenKiB, form := manyRooms(10_000), forms(1000)
		for _, of := range []struct {
			name  string
			calls int // of each batch; without the proof a twentieth
			make  func(n int) *pipeline.Transaction
		}{
			{"GET", 2000, func(n int) *pipeline.Transaction { return request("GET", fmt.Sprintf("/v1/hotels/h-%d", n), "", "") }},
			{"GET5args", 2000, func(n int) *pipeline.Transaction {
				return request("GET", fmt.Sprintf("/v1/hotels?city=Helsinki%d&from=2027-01-10&to=2027-01-12&guests=2&page=%d", n, n), "", "")
			}},
			{"JSON1KiB", 500, func(n int) *pipeline.Transaction {
				return request("POST", "/v1/reservations", jsonMedia, strings.ReplaceAll(oneKiB(), "number", fmt.Sprint("number ", n)))
			}},
			{"JSON10KiB", 50, func(n int) *pipeline.Transaction {
				return request("POST", "/v1/reservations", jsonMedia, strings.Replace(tenKiB, "R-", fmt.Sprint("R-", n), 10))
			}},
			{"form1KiB", 500, func(n int) *pipeline.Transaction {
				return request("POST", "/v1/reservations", formMedia, strings.ReplaceAll(form, "ordinary", fmt.Sprint("ordinary", n)))
			}},
			{"notclean", 100, func(n int) *pipeline.Transaction {
				return request("GET", fmt.Sprintf("/v1/hotels?page=%d&city=1%%27%%20UNION%%20SELECT%%20name,password%%20FROM%%20users--%%20-", n), "", "")
			}},
			{"notcleanJSON1KiB", 20, func(n int) *pipeline.Transaction {
				return request("POST", "/v1/reservations", jsonMedia, strings.Replace(oneKiB(), "late arrival", fmt.Sprintf("%d' UNION SELECT name,password FROM users-- -", n), 1))
			}},
			{"notcleanform1KiB", 20, func(n int) *pipeline.Transaction {
				return request("POST", "/v1/reservations", formMedia, form+fmt.Sprintf("&q=%d%%27+UNION+SELECT+name,password+FROM+users--+-", n))
			}},
		} {
			b.Run(fmt.Sprintf("paranoia%d/%s", paranoia, of.name), func(b *testing.B) {
				next := 0
				made := map[Proof]uint64{} // allocations of a request
				cost := func(mode Proof, calls int) float64 {
					all := make([]*pipeline.Transaction, calls)
					for n := range all {
						all[n] = of.make(next)
						next++
					}
					var heap, after runtime.MemStats
					runtime.ReadMemStats(&heap)
					before := cpu(b)
					for _, tx := range all {
						_ = modes[mode].Decide(tx) // of an attack, the denial
					}
					took := float64(cpu(b)-before) / float64(calls) / 1000
					runtime.ReadMemStats(&after)
					made[mode] = (after.Mallocs - heap.Mallocs) / uint64(calls)
					return took
				}
				fewer := max(of.calls/20, 5)
				if strings.HasPrefix(of.name, "notclean") {
					fewer = of.calls // both ask the engine, and collect its garbage
				}
				for b.Loop() {
					on, off := math.Inf(1), math.Inf(1)
					for range 6 { // in turns
						on, off = min(on, cost(ProofOn, of.calls)), min(off, cost(ProofOff, fewer))
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(on, "on-us")
					b.ReportMetric(off, "off-us")
					b.ReportMetric(off/on, "times")
					b.ReportMetric(float64(made[ProofOn]), "on-allocs")
					b.ReportMetric(float64(made[ProofOff]), "off-allocs")
				}
			})
		}
	}
}

// manyRooms is a booking of about so many bytes.
func manyRooms(size int) string {
	var b strings.Builder
	b.WriteString(`{"rooms":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"room":"R-%05d","note":"%s"}`, i, strings.Repeat("a quiet room by the sea ", 5))
	}
	return b.String() + `]}`
}

// forms is a form of about so many bytes.
func forms(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "field_%02d=some+ordinary+value+%d+for+the+field&", i, i)
	}
	return strings.TrimSuffix(b.String(), "&")
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
