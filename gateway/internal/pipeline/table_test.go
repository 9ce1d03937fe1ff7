package pipeline_test

import (
	"fmt"
	"runtime"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// BenchmarkTables tells what ten thousand routes cost where none names a host,
// and where each is on one of twenty.
func BenchmarkTables(b *testing.B) {
	const n, hosts = 10_000, 20
	for name, host := range map[string]func(i int) []string{
		"shared":   func(int) []string { return nil },
		"by host":  func(i int) []string { return []string{fmt.Sprintf("h%d.hotel.test", i%hosts)} },
		"one host": func(i int) []string { return map[bool][]string{i == 0: {"h0.hotel.test"}}[true] },
	} {
		s := &pipeline.Snapshot{}
		for i := range n {
			s.Routes = append(s.Routes, &pipeline.Route{
				Methods: []string{"GET"}, Pattern: fmt.Sprintf("/v1/team%d/things%d/{thing}", i%97, i), Hosts: host(i),
			})
		}
		b.Run("index "+name, func(b *testing.B) {
			for b.Loop() {
				s.Index()
			}
			empty := pipeline.Snapshot{Routes: s.Routes}
			before := heap()
			empty.Index()
			b.ReportMetric(float64(heap()-before)/n, "B/route")
			runtime.KeepAlive(&empty)
		})
		const asked = n / 2 // on h0
		at, path := "h0.hotel.test", fmt.Sprintf("/v1/team%d/things%d/t-1", asked%97, asked)
		b.Run("match "+name, func(b *testing.B) {
			b.ReportAllocs()
			room := make(pipeline.Params, 0, 4)
			for b.Loop() {
				if r, _ := s.Match(at, "GET", path, room); r == nil {
					b.Fatal("no route")
				}
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
