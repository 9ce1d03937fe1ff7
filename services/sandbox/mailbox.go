package sandbox

import (
	"slices"
	"strings"
	"sync"
)

// What is kept; the oldest go first.
const (
	maxKept      = 1000
	maxKeptBytes = 64 << 20 // a thousand of the largest would be a gigabyte
)

// mailbox is the mail kept in memory. The zero value is empty and ready.
type mailbox struct {
	mu    sync.Mutex
	last  int // id of the newest ever kept
	bytes int
	kept  []*message // oldest first
}

// add keeps m under a new id and makes room for it.
func (b *mailbox) add(m *message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	m.ID = b.last
	b.kept = append(b.kept, m)
	b.bytes += m.size()
	drop := 0
	for ; len(b.kept)-drop > maxKept || b.bytes > maxKeptBytes; drop++ {
		b.bytes -= b.kept[drop].size()
	}
	b.kept = slices.Delete(b.kept, 0, drop) // also clears what it leaves behind
}

// list is what was sent to a recipient, or all with "", newest first. Nothing
// changes a message once it is kept.
func (b *mailbox) list(to string) []*message {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []*message{}
	for _, m := range slices.Backward(b.kept) {
		if to == "" || slices.ContainsFunc(m.To, func(t string) bool { return strings.EqualFold(t, to) }) {
			found = append(found, m)
		}
	}
	return found
}

// get is the message with an id, or nil when there is none any more.
func (b *mailbox) get(id int) *message {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, ok := slices.BinarySearchFunc(b.kept, id, func(m *message, id int) int { return m.ID - id })
	if !ok {
		return nil
	}
	return b.kept[i]
}

// empty forgets all mail. Ids go on where they were.
func (b *mailbox) empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept, b.bytes = nil, 0
}
