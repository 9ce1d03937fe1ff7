package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"
)

const (
	// ways is how many places a token may have in a table.
	ways      = 4
	secretLen = 32
)

// table remembers something about tokens. It keeps no token: an entry is found
// by a SHA-256 over a random secret and the token, so that nobody can choose
// where a token lands and a memory dump does not tell whose entries these are.
// Its size is fixed; a full set gives up the entry that ends first. Reading
// takes no lock.
type table[V any] struct {
	sets    [][ways]atomic.Pointer[entry[V]]
	mask    uint64
	buffers *sync.Pool // of *[]byte beginning with the secret
}

type digest [sha256.Size]byte

// entry is what is known about one token until a time, in nanoseconds of Unix
// time.
type entry[V any] struct {
	digest digest
	until  int64
	value  V
}

func newTable[V any](entries int) table[V] {
	sets := 1
	for sets*ways < entries {
		sets *= 2
	}
	secret := make([]byte, secretLen, secretLen+maxToken)
	_, _ = rand.Read(secret) // never fails: see crypto/rand
	return table[V]{
		sets: make([][ways]atomic.Pointer[entry[V]], sets), mask: uint64(sets - 1),
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

// put stores an entry: in its old place, an empty one, or that of the entry
// that ends first.
func (t *table[V]) put(e *entry[V]) {
	set := t.set(&e.digest)
	place, ends := 0, int64(0)
	for i := range set {
		old := set[i].Load()
		if old == nil || old.digest == e.digest {
			place = i
			break
		}
		if i == 0 || old.until < ends {
			place, ends = i, old.until
		}
	}
	set[place].Store(e)
}

// drop removes an entry, unless another has taken its place.
func (t *table[V]) drop(e *entry[V]) {
	set := t.set(&e.digest)
	for i := range set {
		set[i].CompareAndSwap(e, nil)
	}
}
