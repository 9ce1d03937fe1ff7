package compile

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-chi/chi/v5"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// many is a policy of n routes, in files of two hundred.
func many(n int) fstest.MapFS {
	files := fstest.MapFS{"all.yaml": {Data: []byte(small)}}
	var b strings.Builder
	for i := range n {
		if i%200 == 0 {
			b.Reset()
			b.WriteString("version: 1\nupstream: backend\nroutes:\n")
		}
		fmt.Fprintf(&b, "  - {name: r%d, match: \"GET /v1/team%d/things%d/{thing}\", allow: [{scopes: [read]}], limits: [many], waf: api}\n", i, i%97, i)
		files[fmt.Sprintf("routes/f%d.yaml", i/200)] = &fstest.MapFile{Data: []byte(b.String())}
	}
	return files
}

// BenchmarkRoutes tells what ten thousand routes cost beside a hundred, and the
// router beside chi alone.
func BenchmarkRoutes(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		f := newFixture(b, fine)
		files := many(n)
		env := func(name string) (string, bool) {
			return map[string]string{"ISSUER": f.issuer.URL, "BACKEND": f.backend.URL}[name], true
		}
		b.Run(fmt.Sprintf("load and check/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := policy.Check(files, env); err != nil {
					b.Fatal(err)
				}
			}
		})
		doc, err := policy.Check(files, env)
		if err != nil {
			b.Fatal(err)
		}
		s, err := f.compiler.Compile(doc, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("compile/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := f.compiler.Compile(doc, s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(held(func() any {
				again, err := f.compiler.Compile(doc, s)
				if err != nil {
					b.Fatal(err)
				}
				return again
			}))/1024/float64(n), "KiB/route")
		})
		path := fmt.Sprintf("/v1/team%d/things%d/t-1", (n/2)%97, n/2)
		b.Run(fmt.Sprintf("match/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			params := make(pipeline.Params, 0, 4)
			for b.Loop() {
				if r, _ := s.Match("api.hotel.test", "GET", path, params); r == nil {
					b.Fatal("no route")
				}
			}
		})
		mux := chi.NewRouter()
		for _, r := range doc.Routes {
			_, pattern, _ := strings.Cut(r.Match.V, " ")
			mux.Get(pattern, http.NotFound)
		}
		b.Run(fmt.Sprintf("match by chi alone/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx := chi.NewRouteContext()
			for b.Loop() {
				ctx.Reset()
				if mux.Find(ctx, "GET", path) == "" {
					b.Fatal("no route")
				}
			}
		})
	}
}

// held is how many bytes of heap what made returns keeps.
func held(made func() any) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := made()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
}
