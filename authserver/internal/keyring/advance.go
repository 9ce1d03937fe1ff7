package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// held tells for how long this process has shown a key in its state.
type held func(*StoredKey) time.Duration

// advance decides what is due: a pure function of the stored keys, the clock
// and the terms. A clock may be set forward, over the time that a key had to be
// shown; so a key must also have been held for that time. That a restart begins
// it anew delays a change and breaks nothing. Another algorithm than alg is left
// as soon as that is safe; empty keeps what there is. At most one key is to be
// made: ask again after.
func advance(keys []StoredKey, now time.Time, terms Terms, alg jose.SignatureAlgorithm, shown held) (wanted []Change) {
	at := latest(keys, now)
	for _, k := range keys {
		if k.State == Previous && !at.Before(k.Retired.Add(terms.Keep)) && shown(&k) >= terms.Keep {
			wanted = append(wanted, change(Removed, &k))
		}
	}
	current, more := newest(keys, Current)
	for _, k := range more { // a database from before there was only one
		wanted = append(wanted, change(Retired, k))
	}
	next, more := newest(keys, Next)
	for _, k := range more {
		wanted = append(wanted, change(Replaced, k))
	}
	algorithm := cmp.Or(string(alg), algorithmOf(next), algorithmOf(current), string(jose.ES256))
	if current != nil && next != nil && next.Algorithm != algorithm {
		wanted = append(wanted, change(Replaced, next))
		next = nil
	}
	switch {
	case next == nil:
		return append(wanted, Change{Kind: Made, Algorithm: algorithm})
	case current == nil: // it was revoked: the next one is all we have
		return append(wanted, change(Promoted, next))
	case signsFrom(current, next, terms).After(at) || shown(next) < terms.Publish:
		return wanted
	}
	return append(wanted, change(Retired, current), change(Promoted, next))
}

// signsFrom is when the next key is due to replace the current one.
func signsFrom(current, next *StoredKey, terms Terms) time.Time {
	known := next.Published.Add(terms.Publish)
	if over := current.Activated.Add(terms.Period); over.After(known) && next.Algorithm == current.Algorithm {
		return over
	}
	return known
}

// latest is the clock, or the latest stored time where the clock stands before
// it: no key signs early, and none leaves early, because a clock was set back.
func latest(keys []StoredKey, now time.Time) time.Time {
	now = now.Truncate(time.Millisecond) // as times are stored
	for _, k := range keys {
		for _, t := range []time.Time{k.Created, k.Published, k.Activated, k.Retired, k.Removed, k.Revoked, k.Destroyed} {
			if t.After(now) {
				now = t
			}
		}
	}
	return now
}

// newest returns the youngest key in a state, and the others.
func newest(keys []StoredKey, state State) (first *StoredKey, others []*StoredKey) {
	for i := range keys {
		k := &keys[i]
		switch {
		case k.State != state:
		case first == nil:
			first = k
		case byAge(*k, *first) < 0:
			first, others = k, append(others, first)
		default:
			others = append(others, k)
		}
	}
	return first, others
}

// byAge orders keys, youngest first, the same whatever order a storage has.
func byAge(a, b StoredKey) int {
	return cmp.Or(b.Activated.Compare(a.Activated), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
}

func algorithmOf(k *StoredKey) string {
	if k == nil {
		return ""
	}
	return k.Algorithm
}

func change(kind Kind, k *StoredKey) Change {
	return Change{Kind: kind, ID: k.ID, Algorithm: k.Algorithm}
}

// TooSoonError says that the next key may not sign yet.
type TooSoonError struct {
	ID   string
	Wait time.Duration
}

func (e *TooSoonError) Error() string {
	return fmt.Sprintf("the next key %q has not been published long enough: verifiers may not know it for another %v", e.ID, e.Wait.Round(time.Second))
}

// rotate decides what a rotation on command does.
func rotate(keys []StoredKey, now time.Time, terms Terms, force bool) ([]Change, error) {
	at := latest(keys, now)
	current, _ := newest(keys, Current)
	next, _ := newest(keys, Next)
	if next == nil {
		return nil, fmt.Errorf("there is no next key yet: the service makes one within a second of running")
	}
	if wait := next.Published.Add(terms.Publish).Sub(at); wait > 0 && current != nil && !force {
		return nil, &TooSoonError{ID: next.ID, Wait: wait}
	}
	if current == nil {
		return []Change{change(Promoted, next)}, nil
	}
	return []Change{change(Retired, current), change(Promoted, next)}, nil
}

// revoke decides what a revocation does. A next key that replaces a revoked one
// may be too young for some verifier: better refused for minutes than forged.
func revoke(keys []StoredKey, kid string) ([]Change, error) {
	i := slices.IndexFunc(keys, func(k StoredKey) bool { return k.ID == kid })
	if i < 0 {
		return nil, fmt.Errorf("there is no signing key %q: authserver keys list shows them", kid)
	}
	key := &keys[i]
	if key.State == Gone && !key.Revoked.IsZero() {
		return nil, fmt.Errorf("signing key %q was revoked before", kid)
	}
	wanted := []Change{change(Revoked, key)}
	if next, _ := newest(keys, Next); next != nil && key.State == Current {
		wanted = append(wanted, change(Promoted, next))
	}
	return wanted, nil
}

// apply carries changes out, on a copy, and tells which. The wish for a key is
// met with made, if that fits; used tells.
func apply(keys []StoredKey, wanted []Change, made *StoredKey, now time.Time) (after []StoredKey, done []Change, used bool) {
	at := latest(keys, now)
	after = slices.Clone(keys)
	for _, c := range wanted {
		if c.Kind == Made {
			if made == nil || used || made.Algorithm != c.Algorithm {
				continue
			}
			key := *made
			key.State, key.Published = Next, at
			if current, _ := newest(after, Current); current == nil {
				key.State, key.Activated = Current, at
			}
			after, done, used = append(after, key), append(done, change(Made, &key)), true
			continue
		}
		i := slices.IndexFunc(after, func(k StoredKey) bool { return k.ID == c.ID })
		if i < 0 {
			continue
		}
		move(&after[i], c.Kind, at)
		done = append(done, c)
	}
	return after, done, used
}

// move is one change of one key. Whatever no longer signs loses its private half.
func move(k *StoredKey, kind Kind, at time.Time) {
	if k.State == Current && kind != Promoted {
		k.Retired = at
	}
	switch kind {
	case Promoted:
		k.State, k.Activated = Current, at
		return
	case Retired:
		k.State = Previous
	case Revoked:
		k.Revoked = at
		fallthrough
	case Replaced, Removed:
		if k.State != Gone {
			k.State, k.Removed = Gone, at
		}
	}
	k.Sealed = nil
}
