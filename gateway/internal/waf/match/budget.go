package match

import (
	"runtime"
	"sync/atomic"
)

// Budget bounds the memory of all lazy automata that share it. What patterns
// and values will need cannot be known, and values come from clients.
type Budget struct {
	left *atomic.Int64
	// taken is what a part has taken; nil for a budget that is none.
	taken *atomic.Int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{left: new(atomic.Int64)}
	b.left.Store(bytes)
	return b
}

// Part returns a budget that takes from b, and gives everything back once it and
// its automata are gone. Within one budget automata give nothing back.
func (b *Budget) Part() *Budget {
	left, taken := b.left, new(atomic.Int64)
	part := &Budget{left: left, taken: taken}
	runtime.AddCleanup(part, func(taken *atomic.Int64) { left.Add(taken.Load()) }, taken)
	return part
}

// Left is how many bytes may still be taken.
func (b *Budget) Left() int64 { return b.left.Load() }

// take asks for bytes.
func (b *Budget) take(bytes int) bool {
	if b.left.Add(-int64(bytes)) < 0 {
		b.left.Add(int64(bytes))
		return false
	}
	if b.taken != nil {
		b.taken.Add(int64(bytes))
	}
	return true
}
