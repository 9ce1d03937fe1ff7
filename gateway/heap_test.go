package main

import "testing"

// TestTheHeapHasABound: lazy while there is little, and never more than the
// bound or what any Go program would take.
func TestTheHeapHasABound(t *testing.T) {
	for name, c := range map[string]struct {
		live uint64
		want int
	}{
		"nothing is alive yet":        {0, 400},
		"a usual gateway":             {30 << 20, 400},
		"one with many policies":      {100 << 20, 150},
		"one that has met its bound":  {128 << 20, 100},
		"one beyond it":               {4 << 30, 100},
		"one that shrinks to a third": {42 << 20, 400},
	} {
		if got := percentFor(c.live); got != c.want {
			t.Errorf("%s: %d per cent, want %d", name, got, c.want)
		}
	}
	for live := uint64(1 << 20); live < 1<<30; live += 1 << 20 {
		if heap, most := live+live*uint64(percentFor(live))/100, max(uint64(roomyHeap), 2*live); heap > most {
			t.Fatalf("with %d bytes alive the heap may grow to %d, more than %d", live, heap, most)
		}
	}
}
