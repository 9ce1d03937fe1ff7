package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	// ways is how many places a token may have in a table.
	ways      = 8
	secretLen = 32
)

// table remembers something about tokens. It keeps no token: an entry is found
// by a SHA-256 over a random secret and the token, so that nobody can choose
// where a token lands and a memory dump does not tell whose entries these are.
// Its size is fixed; what a full set gives up see put. Reading takes no lock.
type table[V any] struct {
	sets    [][ways]atomic.Pointer[entry[V]]
	mask    uint64
	seed    maphash.Seed
	buffers *sync.Pool // of *[]byte beginning with the secret
}

type digest [sha256.Size]byte

// entry is what is known about one token until a time, in nanoseconds of Unix
// time.
type entry[V any] struct {
	digest digest
	until  int64
	// subject and client tell, as hashes, whose token it is; zero where the table
	// need not share its places out.
	subject, client uint64
	// used: it was found again since it was stored.
	used  atomic.Bool
	value V
}

// use notes that an entry was found. Most entries are found often: only the first
// writes, or the readers of all cores would pull at one line of memory.
func (e *entry[V]) use() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

func newTable[V any](entries int) table[V] {
	sets := 1
	for sets*ways < entries {
		sets *= 2
	}
	secret := make([]byte, secretLen, secretLen+maxToken)
	_, _ = rand.Read(secret) // never fails: see crypto/rand
	return table[V]{
		sets: make([][ways]atomic.Pointer[entry[V]], sets), mask: uint64(sets - 1), seed: maphash.MakeSeed(),
		buffers: &sync.Pool{New: func() any {
			buffer := make([]byte, secretLen, secretLen+maxToken)
			copy(buffer, secret)
			return &buffer
		}},
	}
}

// key hashes the token; raw is at most maxToken long. The length needs no
// prefix, since the secret before it has a fixed one.
func (t *table[V]) key(raw string) digest {
	buffer := t.buffers.Get().(*[]byte)
	filled := append(*buffer, raw...)
	sum := sha256.Sum256(filled)
	clear(filled[secretLen:]) // the token must not outlive the request here
	t.buffers.Put(buffer)
	return sum
}

func (t *table[V]) set(key *digest) *[ways]atomic.Pointer[entry[V]] {
	return &t.sets[binary.LittleEndian.Uint64(key[:])&t.mask]
}

// find returns the entry of a token, ended or not, or nil.
func (t *table[V]) find(key *digest) *entry[V] {
	set := t.set(key)
	for i := range set {
		if e := set[i].Load(); e != nil && e.digest == *key {
			return e
		}
	}
	return nil
}

// of hashes names that belong together, such as an issuer and its client.
func (t *table[V]) of(names ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	for _, name := range names { // a maphash takes everything
		_, _ = h.WriteString(name)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// put stores an entry: in its old place, an empty one, or that of one that has
// ended at now. A full set gives up, in this order, one of the subject with the
// most entries in it, one that was not used again, one of the client with the
// most, the one that ends first. Whoever shows a hundred thousand tokens of one
// subject pushes out its own; with many subjects of one client, what nobody uses
// and then its own. The entry that is stored counts with the others.
func (t *table[V]) put(e *entry[V], now int64) {
	set := t.set(&e.digest)
	var held [ways]*entry[V]
	place := -1
	for i := range set {
		held[i] = set[i].Load()
		switch old := held[i]; {
		case old != nil && old.digest == e.digest:
			set[i].Store(e)
			return
		case place < 0 && (old == nil || old.until <= now):
			place = i
		}
	}
	if place < 0 {
		place = leastDue(&held, e)
	}
	set[place].Store(e)
}

// leastDue is the place in a full set that a new entry takes.
func leastDue[V any](held *[ways]*entry[V], e *entry[V]) int {
	place := 0
	for i := 1; i < ways; i++ {
		if lessDue(held, e, held[i], held[place]) {
			place = i
		}
	}
	return place
}

func lessDue[V any](held *[ways]*entry[V], e, a, b *entry[V]) bool {
	subjects := func(in *entry[V]) uint64 { return in.subject }
	clients := func(in *entry[V]) uint64 { return in.client }
	if x, y := share(held, e, a, subjects), share(held, e, b, subjects); x != y {
		return x > y
	}
	if x, y := a.used.Load(), b.used.Load(); x != y {
		return y
	}
	if x, y := share(held, e, a, clients), share(held, e, b, clients); x != y {
		return x > y
	}
	return a.until < b.until
}

// share counts the entries of one owner in a set, with the one that comes.
func share[V any](held *[ways]*entry[V], e, of *entry[V], owner func(*entry[V]) uint64) (n int) {
	for _, in := range held {
		if owner(in) == owner(of) {
			n++
		}
	}
	if owner(e) == owner(of) {
		n++
	}
	return n
}

// drop removes an entry, unless another has taken its place.
func (t *table[V]) drop(e *entry[V]) {
	set := t.set(&e.digest)
	for i := range set {
		set[i].CompareAndSwap(e, nil)
	}
}
