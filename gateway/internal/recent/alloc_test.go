//go:build !race

package recent_test

import (
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// The race detector allocates, and makes pools forget on purpose.

func TestRememberingAllocatesNothing(t *testing.T) {
	f := newFixture(t, 64, pipeline.Reads{Headers: []string{"X-N"}, Query: []string{"city"}})
	tx := f.ask("/v1/hotels/h-7?city=Turku", nil)
	d := denied()
	refused := func() { f.Observe(tx, d, 403) }
	for range 64 {
		refused()
	}
	for name, once := range map[string]func(){"an allowed request": usual(t), "a refused one whose conditions read the query": refused} {
		if n := testing.AllocsPerRun(1000, once); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}
