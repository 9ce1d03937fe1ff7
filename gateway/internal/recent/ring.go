// Package recent remembers the last requests that were decided, so that whoever
// complains with a request id can be told why. It holds what the stages decided
// by and nothing else: no token, no cookie, no body, and of header fields and
// queries only what conditions of the route read. What it costs is bounded
// whatever clients send, and remembering one more request allocates nothing.
package recent

import (
	"encoding/binary"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

const (
	// idBytes is the length of a request id.
	idBytes = 32
	// sizeMost bounds a ring: at 4 KiB a request, the most one takes, it is 1 GiB.
	sizeMost = 1 << 18
	// policiesKept is how many policies are held on to after their time, the one
	// in force among them: a snapshot may be large, and a reload a second must
	// not keep them all.
	policiesKept = 3
)

// Config is what a Ring needs.
type Config struct {
	// Size is how many requests are remembered; at least 1.
	Size int
	// Current gives the snapshot in force.
	Current *pipeline.Current
}

// Ring holds the last requests. Its methods may be called from any goroutine.
type Ring struct {
	current *pipeline.Current
	slots   []slot
	// heads are the first bytes of the ids in slots, to look one up without a
	// lock for each.
	heads []atomic.Uint64
	next  atomic.Uint64 // how many were ever remembered

	newest   atomic.Pointer[pipeline.Snapshot] // the last of policies
	mu       sync.Mutex
	policies []*pipeline.Snapshot
}

// slot is the place of one request, used again a lap later. Its lock is its
// own: two requests meet at one only when they are a whole lap apart, or when
// somebody reads.
type slot struct {
	mu     sync.Mutex
	number uint64 // which request this is, from 1; 0 for none
	id     [idBytes]byte
	text   []byte // the rest, see record.go
	// principal is shared with the cache of verified tokens and never changes.
	principal *token.Principal
}

// New returns an empty ring.
func New(c Config) (*Ring, error) {
	if c.Current == nil {
		return nil, errors.New("recent: current is required")
	}
	if c.Size < 1 || c.Size > sizeMost {
		return nil, errors.New("recent: from 1 to 262144 requests can be remembered")
	}
	return &Ring{current: c.Current, slots: make([]slot, c.Size), heads: make([]atomic.Uint64, c.Size)}, nil
}

// Observe remembers a request that has ended. It keeps nothing of tx but the
// principal.
func (r *Ring) Observe(tx *pipeline.Transaction, d pipeline.Decision, status int) {
	if tx.Snapshot != r.newest.Load() {
		r.admit(tx.Snapshot)
	}
	number := r.next.Add(1)
	s := &r.slots[r.place(number)]
	s.mu.Lock()
	s.number, s.principal = number, tx.Principal
	copy(s.id[:], tx.ID)
	r.heads[r.place(number)].Store(head(s.id))
	s.text = write(s.text[:0], tx, d, status)
	s.mu.Unlock()
}

// admit holds on to a snapshot that has come into force, and lets go of the
// oldest. One that is in force no more is not taken up again: sockets that
// outlive their policy would push out what is still asked for.
func (r *Ring) admit(s *pipeline.Snapshot) {
	if s == nil || s != r.current.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s == r.newest.Load() {
		return
	}
	if len(r.policies) == policiesKept {
		copy(r.policies, r.policies[1:])
		r.policies = r.policies[:policiesKept-1]
	}
	r.policies = append(r.policies, s)
	r.newest.Store(s)
}

// snapshot gives a policy that is still held, or nil. Its version is a hash of
// the files, so that one that came back explains as the first did.
func (r *Ring) snapshot(version string) *pipeline.Snapshot {
	if s := r.current.Load(); s != nil && s.Version == version {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.policies {
		if s.Version == version {
			return s
		}
	}
	return nil
}

// Find gives the request of an id, if it is still remembered.
func (r *Ring) Find(id string) (Record, bool) {
	var whole [idBytes]byte
	if copy(whole[:], id) != idBytes {
		return Record{}, false
	}
	for number := range r.numbers() {
		if r.heads[r.place(number)].Load() != head(whole) {
			continue
		}
		if rec, ok := r.record(number); ok && rec.ID == id {
			return rec, true
		}
	}
	return Record{}, false
}

func head(id [idBytes]byte) uint64 { return binary.NativeEndian.Uint64(id[:8]) }

// place is the slot of a request.
func (r *Ring) place(number uint64) uint64 { return (number - 1) % uint64(len(r.slots)) }

// All gives what is remembered, the newest first.
func (r *Ring) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for number := range r.numbers() {
			if rec, ok := r.record(number); ok && !yield(rec) {
				return
			}
		}
	}
}

// numbers are those of the requests remembered now, the newest first.
func (r *Ring) numbers() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		last := r.next.Load()
		for back := range min(last, uint64(len(r.slots))) {
			if !yield(last - back) {
				return
			}
		}
	}
}

// record reads a request, unless another has taken its place meanwhile.
func (r *Ring) record(number uint64) (Record, bool) {
	s := &r.slots[r.place(number)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number != number {
		return Record{}, false
	}
	rec := read(s.text)
	rec.ID, rec.Principal = string(s.id[:]), s.principal
	rec.Snapshot = r.snapshot(rec.Policy)
	return rec, true
}
