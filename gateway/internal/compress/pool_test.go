package compress

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"

	"portcullis/gateway/internal/pipeline"
)

// TestMoreAnswersAtOnceThanMayBeCompressedPassAsTheyAre: clients that read
// slowly take no more memory than the bound allows.
func TestMoreAnswersAtOnceThanMayBeCompressedPassAsTheyAre(t *testing.T) {
	t.Parallel()
	p := &Pool{most: 2}
	a, b := p.get(gzipped, io.Discard), p.get(zstandard, io.Discard)
	if a == nil || b == nil || p.get(gzipped, io.Discard) != nil || p.get(zstandard, io.Discard) != nil {
		t.Fatal("two are not lent, or a third is")
	}
	p.put(zstandard, b)
	if p.get(gzipped, io.Discard) == nil {
		t.Error("what was given back is not lent again")
	}
}

// TestNothingOfOneAnswerComesOutInAnother breaks one off before it is flushed.
func TestNothingOfOneAnswerComesOutInAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []coding{gzipped, zstandard} {
		p := NewPool()
		var first, second bytes.Buffer
		lent := p.get(c, &first)
		_, _ = io.WriteString(lent, strings.Repeat("another's secret ", 500))
		p.put(c, lent)
		before := first.Len()
		again := p.get(c, &second)
		_, _ = io.WriteString(again, "mine")
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if first.Len() != before {
			t.Errorf("%v: the end of the first was written after it was given back", c)
		}
		if c == gzipped {
			r, err := gzip.NewReader(&second)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != "mine" {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

func TestManyAtOnceGetTheirOwn(t *testing.T) {
	t.Parallel()
	p := NewPool()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			text := strings.Repeat(string(rune('a'+i%26)), 10_000+i)
			var out bytes.Buffer
			lent := p.get(gzipped, &out)
			_, _ = io.WriteString(lent, text)
			if err := lent.Close(); err != nil {
				t.Error(err)
			}
			p.put(gzipped, lent)
			r, err := gzip.NewReader(&out)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != text {
				t.Errorf("answer %d is another's, %v", i, err)
			}
		})
	}
	all.Wait()
	if n := p.lent.Load(); n != 0 {
		t.Errorf("%d are lent for ever", n)
	}
}

// sink is a writer that keeps nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

// given answers with the same page each time.
type given struct{ body []byte }

func (g given) Forward(w http.ResponseWriter, _ *pipeline.Transaction) (pipeline.Result, error) {
	w.Header()["Content-Type"] = jsonType()
	w.WriteHeader(200)
	_, err := w.Write(g.body)
	return pipeline.Result{Status: 200, Broken: err}, nil
}

func jsonType() []string { return []string{"application/json"} }

func FuzzNegotiate(f *testing.F) {
	f.Add("gzip, deflate;q=0.5, *;q=0")
	f.Add("identity;q=1, gzip;q=1.000")
	f.Fuzz(func(t *testing.T, accept string) {
		c := negotiate([]string{accept})
		if c != identity && !strings.Contains(strings.ToLower(accept), c.String()) && !strings.Contains(accept, "*") {
			t.Errorf("%q gets %v, which it does not name", accept, c)
		}
		if got := negotiate([]string{accept, "gzip;q=0", "zstd;q=0"}); c == identity && got != identity {
			t.Errorf("%q gets %v when both are refused as well", accept, got)
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	body := []byte(strings.Repeat(`{"room": 12, "view": "harbour", "price": {"amount": "129.00", "currency": "EUR"}},`, 800))
	for _, accept := range []string{"br", "gzip", "zstd"} {
		b.Run(accept, func(b *testing.B) {
			f, err := New(Config{Next: given{body}, Types: []string{"application/json"}, Pool: NewPool()})
			if err != nil {
				b.Fatal(err)
			}
			tx := &pipeline.Transaction{Request: &http.Request{Method: "GET", Header: http.Header{"Accept-Encoding": {accept}}}}
			w := &sink{http.Header{}}
			var sent int64
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				r, err := f.Forward(w, tx)
				if err != nil {
					b.Fatal(err)
				}
				sent = r.Bytes
			}
			if sent > 0 {
				b.ReportMetric(float64(len(body))/float64(sent), "times_smaller")
			}
		})
	}
}
