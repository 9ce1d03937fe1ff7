package token

import (
	"strconv"
	"strings"
	"time"
)

// Cached counts the entries of the cache, for tests of its bound.
func (v *Verifier) Cached() (n int) {
	for i := range v.cache.sets {
		for j := range v.cache.sets[i] {
			if v.cache.sets[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}

// Fill puts n revocations of tokens into a set at once.
func (r *Revocations) Fill(n int, until int64) {
	for i := range n {
		r.set.ids[strconv.Itoa(i)] = cut{maxSeconds, until}
	}
}

// Event is one of a stream's.
type Event struct{ Name, ID, Data string }

// ReadEvents takes a whole stream apart.
func ReadEvents(text string) (events []Event, err error) {
	for r := newSSEReader(strings.NewReader(text)); ; {
		e, err := r.next()
		if err != nil {
			return events, err
		}
		events = append(events, Event{e.name, e.id, e.data})
	}
}

// Replace reads a whole list.
func (r *Revocations) Replace(data []byte) error { return r.replace(data) }

// Open and ReadKeys let fuzz tests reach the parsers alone.
func Open(raw string) error { _, err := open(raw); return err }

func ReadKeys(data []byte) (int, error) { k, err := readKeys(data); return len(k), err }

// Settle waits until no keys are being fetched.
func (v *Verifier) Settle() {
	for _, i := range v.issuers {
		i.keys.settle()
	}
}

// Settle waits until no token is being asked for.
func (s *Source) Settle() { s.tokens.settle() }

func (r *refresher) settle() {
	r.mu.Lock()
	f := r.flight
	r.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

// ReadAnswer reports whether an answer of an introspection endpoint says active.
func ReadAnswer(data []byte) (active bool, err error) {
	answer, err := readAnswer(data)
	return answer != nil, err
}

// Keep remembers raw as a token of p's that the verifier's one issuer made.
func (v *Verifier) Keep(raw string, p *Principal, now time.Time) {
	for _, issuer := range v.issuers {
		v.cache.keep(&entry[cached]{
			digest: v.cache.key(raw), until: now.Add(maxCached).UnixNano(),
			value: cached{principal: p, issuer: issuer, generation: issuer.set.Load().generation},
		}, now)
	}
}

// Cache reports whether raw is remembered, as a request that carries it would find.
func (v *Verifier) Cache(raw string, now time.Time) bool {
	key := v.cache.key(raw)
	return v.cache.get(&key, now) != nil
}

// Inquiry is how introspection stands.
func (v *Verifier) Inquiry() *IntrospectionStatus { return v.opaque.Introspection() }

// Residue is what stands in the buffer that tokens are hashed in.
func (v *Verifier) Residue() []byte {
	buffer := v.cache.buffers.Get().(*[]byte)
	defer v.cache.buffers.Put(buffer)
	return (*buffer)[:cap(*buffer)]
}
