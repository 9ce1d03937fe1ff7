package recent_test

import (
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/recent"
	"portcullis/services/problem"
)

// huge is a request that is as large as clients can make one, and larger.
func (f *fixture) huge() (*pipeline.Transaction, pipeline.Decision) {
	long := strings.Repeat("x", 60<<10)
	tx := f.ask("/v1/"+long+"?n="+long[:8000], func(tx *pipeline.Transaction) {
		tx.Request.Method, tx.Host = long, long
		for range 100 {
			tx.Params = append(tx.Params, pipeline.Param{Name: long, Value: long})
			tx.Request.Header["X-N"] = append(tx.Request.Header["X-N"], long)
			tx.Limits = append(tx.Limits, tx.Limits[0])
			tx.Shadows = append(tx.Shadows, tx.Shadows[0])
			tx.WAF.Rules = append(tx.WAF.Rules, 942100)
		}
	})
	return tx, pipeline.Decision{Kind: pipeline.Fault, Stage: "inspect", Rule: "waf:json-api:942100", Problem: problem.New(problem.Unavailable, long).Because(errors.New(long))}
}

func TestMemoryIsBoundedWhateverClientsSend(t *testing.T) {
	const size = 100
	f := newFixture(t, size, pipeline.Reads{Headers: []string{"X-N"}, Query: []string{"n"}})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	tx, d := f.huge()
	before := heap()
	for range 3 * size {
		f.Observe(tx, d, 503)
	}
	if grown := heap() - before; grown > 8<<10*size+64<<10 {
		t.Errorf("%d bytes a request", grown/size)
	}
	rec, ok := f.Find(tx.ID)
	if !ok || !rec.Cut || rec.Decision.Stage != "inspect" || rec.Decision.Rule != "waf:json-api:942100" || rec.Route != "hotel" || rec.Status != 503 || rec.Policy != "v1" {
		t.Errorf("what decided has been cut: %+v", rec.Decision)
	}
	if _, err := rec.Transaction(); !errors.Is(err, recent.ErrCut) {
		t.Errorf("half a request is explained as a whole: %v", err)
	}
	runtime.KeepAlive(f)
}

// Whatever a request holds: it is told as it was, or as cut.
func TestARecordIsTheRequestOrSaysThatItIsNot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 1, pipeline.Reads{Headers: []string{"X-N"}, Query: []string{"n"}})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 40, -1), rapid.StringN(0, -1, 3000))
		short := rapid.Map(rapid.StringN(0, -1, 2000), func(s string) string { return strings.ReplaceAll(s, "\x00", "") })
		tx := f.ask("/", func(tx *pipeline.Transaction) {
			tx.Path = "/" + text.Draw(t, "path")
			tx.Host = "h" + text.Draw(t, "host")
			for range rapid.IntRange(0, 20).Draw(t, "params") {
				tx.Params = append(tx.Params, pipeline.Param{Name: "p", Value: text.Draw(t, "value")})
			}
			tx.Request.Header["X-N"] = rapid.SliceOfN(text, 0, 3).Draw(t, "fields")
			tx.Request.URL.RawQuery = "n=" + url.QueryEscape(short.Draw(t, "query"))
		})
		f.Observe(tx, denied(), 403)
		rec, ok := f.Find(tx.ID)
		if !ok || rec.Decision.Rule != denied().Rule || rec.Status != 403 {
			t.Fatalf("%+v", rec)
		}
		if rec.Cut {
			return
		}
		fields := tx.Request.Header["X-N"]
		if rec.Path != tx.Path || rec.Host != tx.Host || len(rec.Params) != len(tx.Params) || rec.Query != tx.Request.URL.RawQuery || len(rec.Header["X-N"]) != len(fields) {
			t.Fatalf("%+v\nis not\n%+v", rec, tx)
		}
		for i := range fields {
			if rec.Header["X-N"][i] != fields[i] {
				t.Fatalf("field %q, want %q", rec.Header["X-N"][i], fields[i])
			}
		}
		for i := range tx.Params {
			if rec.Params[i] != tx.Params[i] {
				t.Fatalf("parameter %q, want %q", rec.Params[i], tx.Params[i])
			}
		}
	})
}

// usual is a request without conditions on fields, as nearly all are.
func usual(tb testing.TB) func() {
	f := newFixture(tb, 64, pipeline.Reads{})
	tx := f.ask("/v1/hotels/h-7?city=Turku", func(tx *pipeline.Transaction) {
		tx.Request.Method = http.MethodGet
		tx.Limits = append(tx.Limits, tx.Limits[0])
		tx.WAF, tx.ShadowWAF = pipeline.Inspection{Profile: "json-api", Ran: true}, nil
		tx.ShadowLimits, tx.Shadows, tx.Validation = nil, nil, pipeline.Validation{}
	})
	d := pipeline.Decision{Kind: pipeline.Allow, Rule: tx.Rule}
	once := func() { f.Observe(tx, d, 200) }
	for range 64 {
		once()
	}
	return once
}

func BenchmarkObserve(b *testing.B) {
	once := usual(b)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}

func BenchmarkFindTheOldestOf4096(b *testing.B) {
	f := newFixture(b, 4096, pipeline.Reads{})
	first := f.ask("/", nil)
	f.Observe(first, denied(), 403)
	for range 4095 {
		f.Observe(f.ask("/", nil), denied(), 403)
	}
	for b.Loop() {
		if _, ok := f.Find(first.ID); !ok {
			b.Fatal("forgotten")
		}
	}
}
