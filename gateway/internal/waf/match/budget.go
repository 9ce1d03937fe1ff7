package match

import "sync/atomic"

// Budget bounds the memory of all lazy automata that share it. What patterns
// and values will need cannot be known, and values come from clients.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := new(Budget)
	b.left.Store(bytes)
	return b
}

// Left is how many bytes may still be taken.
func (b *Budget) Left() int64 { return b.left.Load() }

// take asks for bytes; they are never given back, since automata live as long
// as the budget.
func (b *Budget) take(bytes int) bool {
	if b.left.Add(-int64(bytes)) >= 0 {
		return true
	}
	b.left.Add(int64(bytes))
	return false
}
