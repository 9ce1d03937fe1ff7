package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// ways is how many places a token may have in the cache.
	ways = 4
	// maxCached bounds how long a verification is trusted without a new look
	// at the token.
	maxCached = time.Minute
	secretLen = 32
)

// cache remembers verified tokens. It keeps no token: an entry is found by a
// SHA-256 over a random secret and the token, so that a memory dump holds no
// credential and nobody can choose where a token lands. Its size is fixed; a
// full set gives up the entry that ends first. Reading takes no lock.
type cache struct {
	sets    []cacheSet
	mask    uint64
	buffers sync.Pool // of *[]byte beginning with the secret
}

type cacheSet [ways]atomic.Pointer[cached]

type digest [sha256.Size]byte

type cached struct {
	digest    digest
	principal *Principal
	issuer    *Issuer
	// generation of the issuer's keys that verified the token.
	generation uint64
	// from and until are the nanoseconds of Unix time between which a new
	// verification would find the same.
	from, until int64
}

func newCache(entries int) *cache {
	sets := 1
	for sets*ways < entries {
		sets *= 2
	}
	secret := make([]byte, secretLen, secretLen+maxToken)
	_, _ = rand.Read(secret) // never fails: see crypto/rand
	c := &cache{sets: make([]cacheSet, sets), mask: uint64(sets - 1)}
	c.buffers.New = func() any {
		buffer := make([]byte, secretLen, secretLen+maxToken)
		copy(buffer, secret)
		return &buffer
	}
	return c
}

// key hashes the token; raw is at most maxToken long. The length needs no
// prefix, since the secret before it has a fixed one.
func (c *cache) key(raw string) digest {
	buffer := c.buffers.Get().(*[]byte)
	filled := append(*buffer, raw...)
	sum := sha256.Sum256(filled)
	clear(filled[secretLen:]) // the token must not outlive the request here
	c.buffers.Put(buffer)
	return sum
}

// get returns the entry of a token that is good at now, or nil.
func (c *cache) get(key *digest, now time.Time) *cached {
	set := &c.sets[binary.LittleEndian.Uint64(key[:])&c.mask]
	for i := range set {
		e := set[i].Load()
		if e == nil || e.digest != *key {
			continue
		}
		if at := now.UnixNano(); at < e.from || at >= e.until {
			return nil
		}
		if keys := e.issuer.fresh(now); keys == nil || keys.generation != e.generation {
			return nil
		}
		return e
	}
	return nil
}

// put stores an entry: in its old place, an empty one, or that of the entry
// that ends first.
func (c *cache) put(e *cached) {
	set := &c.sets[binary.LittleEndian.Uint64(e.digest[:])&c.mask]
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
