//go:build !race

package compress

import (
	"bytes"
	"net/http"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// The race detector allocates, and makes pools forget on purpose.

// TestWhatCompressionAllocates: a page allocates its wrapper and the four fields
// that change, whatever its length; one that passes as it is, one field.
func TestWhatCompressionAllocates(t *testing.T) {
	f, err := New(Config{Next: given{bytes.Repeat([]byte("room "), 20_000)}, Types: []string{"application/json"}, Pool: NewPool()})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		accept string
		most   float64
	}{
		"compressed":             {"gzip, deflate, br", 6},
		"compressed by zstd":     {"gzip, deflate, br, zstd", 6},
		"passed on, as it stood": {"br", 4},
	} {
		tx := &pipeline.Transaction{Request: &http.Request{Method: "GET", Header: http.Header{"Accept-Encoding": {c.accept}}}}
		w := &sink{http.Header{}}
		if n := testing.AllocsPerRun(50, func() {
			clear(w.header)
			if _, err := f.Forward(w, tx); err != nil {
				t.Fatal(err)
			}
		}); n > c.most {
			t.Errorf("%s: %v allocations, at most %v", name, n, c.most)
		}
	}
}
