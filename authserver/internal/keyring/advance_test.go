package keyring

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"
)

// life is the longest life of a token with a verifier's slack.
const life = time.Hour + 30*time.Second

// world runs the pure functions as processes would: over one storage, by
// several clocks, with commands, and with keys made too late.
type world struct {
	terms Terms
	keys  []StoredKey
	made  int
	begun time.Time
	// true time, and how far the clock is off it.
	passed, off time.Duration
	// seen is what a process remembers.
	seen map[sighting]time.Duration
	// what truly happened, by key
	published, signed map[string]time.Duration
	clock             map[string]time.Duration // how far it was off when the key was published
	hurried           map[string]bool          // promoted by force or for want of another
}

func newWorld() *world {
	terms, _ := Terms{}.filled()
	return &world{
		terms: terms, begun: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		seen:      map[sighting]time.Duration{},
		published: map[string]time.Duration{}, signed: map[string]time.Duration{}, clock: map[string]time.Duration{}, hurried: map[string]bool{},
	}
}

func (w *world) now() time.Time { return w.begun.Add(w.passed + w.off) }

func (w *world) held(k *StoredKey) time.Duration {
	s := sighting{k.ID, k.State}
	if _, ok := w.seen[s]; !ok {
		w.seen[s] = w.passed
	}
	return w.passed - w.seen[s]
}

// store is what ChangeKeys does with wanted.
func (w *world) store(t fataler, wanted []Change, spare *StoredKey, hurried bool) int {
	first := len(w.keys) == 0
	after, done, _ := apply(w.keys, wanted, spare, w.now())
	var floor time.Time
	for _, k := range w.keys {
		for _, at := range []time.Time{k.Published, k.Activated, k.Retired, k.Removed} {
			if at.After(floor) {
				floor = at
			}
		}
	}
	for i, k := range after {
		var old StoredKey
		if i < len(w.keys) {
			old = w.keys[i]
		}
		for _, c := range [][2]time.Time{
			{old.Published, k.Published}, {old.Activated, k.Activated}, {old.Retired, k.Retired}, {old.Removed, k.Removed},
		} {
			if !c[1].Equal(c[0]) && c[1].Before(floor) {
				t.Fatalf("stored times run backwards: %v after %v", c[1], floor)
			}
		}
	}
	w.keys = after
	for _, c := range done {
		switch {
		case c.Kind == Made:
			w.published[c.ID], w.clock[c.ID] = w.passed, w.off
			w.hurried[c.ID] = first || hurried
		case c.Kind == Promoted && hurried:
			w.hurried[c.ID] = true
		}
	}
	return len(done)
}

func (w *world) spare(alg string) *StoredKey {
	w.made++
	return &StoredKey{ID: fmt.Sprintf("k%d", w.made), Algorithm: alg, Sealed: []byte{1}, Created: w.now().Truncate(time.Millisecond)}
}

// settle is a ring's.
type fataler interface{ Fatalf(string, ...any) }

func (w *world) settle(t fataler, alg jose.SignatureAlgorithm) {
	for range maxRounds {
		current, _ := newest(w.keys, Current)
		wanted := advance(w.keys, w.now(), w.terms, alg, w.held)
		var spare *StoredKey
		for _, c := range wanted {
			if c.Kind == Made {
				spare = w.spare(c.Algorithm)
			}
		}
		if w.store(t, wanted, spare, current == nil) == 0 {
			return
		}
	}
	t.Fatalf("the keys do not settle: %+v", w.keys)
}

// check holds after every step.
func (w *world) check(t *rapid.T) {
	count := map[State]int{}
	for _, k := range w.keys {
		count[k.State]++
		if (len(k.Sealed) > 0) != k.signable() {
			t.Fatalf("the private half of a key that is %s: %v", k.State, len(k.Sealed) > 0)
		}
		if k.State == Current && !w.hurried[k.ID] {
			if shown := w.passed - w.published[k.ID]; shown < w.terms.Publish {
				t.Fatalf("%s signs after %v", k.ID, shown)
			}
		}
		if at, ok := w.signed[k.ID]; ok && k.State == Gone && k.Revoked.IsZero() && w.passed-at < life {
			t.Fatalf("%s is gone %v after it signed", k.ID, w.passed-at)
		}
	}
	if count[Current] != 1 || count[Next] != 1 {
		t.Fatalf("%v", count)
	}
}

func TestWhateverHappensTheKeysAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.settle(t, "")
		algorithm := rapid.SampledFrom([]jose.SignatureAlgorithm{"", jose.ES256, jose.RS256})
		wait := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour, 31 * 24 * time.Hour})
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				w.passed += wait.Draw(t, "time")
				w.settle(t, "")
			},
			"the clock is set back": func(t *rapid.T) {
				w.off -= wait.Draw(t, "back")
				w.settle(t, "")
			},
			"the clock is set forward": func(t *rapid.T) {
				w.off += wait.Draw(t, "forward")
				w.settle(t, "")
			},
			"a token is signed": func(t *rapid.T) {
				current, _ := newest(w.keys, Current)
				w.signed[current.ID] = w.passed
			},
			"a restart": func(t *rapid.T) {
				clear(w.seen)
				w.settle(t, algorithm.Draw(t, "algorithm"))
			},
			"a rotation": func(t *rapid.T) {
				force := rapid.Bool().Draw(t, "force")
				wanted, err := rotate(w.keys, w.now(), w.terms, force)
				if _, soon := errors.AsType[*TooSoonError](err); err != nil && (!soon || force) {
					t.Fatal(err)
				}
				// A command has only the clock, which may be wrong, or have been so when
				// the next key was published.
				next, _ := newest(w.keys, Next)
				w.store(t, wanted, nil, force || next != nil && w.clock[next.ID] != w.off)
				w.settle(t, "")
			},
			"a revocation": func(t *rapid.T) {
				k := rapid.SampledFrom(w.keys).Draw(t, "key")
				wanted, err := revoke(w.keys, k.ID)
				if (err != nil) != (k.State == Gone && !k.Revoked.IsZero()) {
					t.Fatalf("%+v: %v", k, err)
				}
				w.store(t, wanted, nil, true)
				if kid(w.keys, Current) == "" {
					t.Fatalf("no key signs after the revocation of %s", k.ID)
				}
				w.settle(t, "")
			},
			"a process that was too slow": func(t *rapid.T) {
				// It read the keys long ago and made one; what it wants is
				// decided again on what is there now.
				alg := rapid.SampledFrom([]string{"ES256", "RS256"}).Draw(t, "made")
				if w.store(t, advance(w.keys, w.now(), w.terms, "", w.held), w.spare(alg), false) != 0 {
					w.settle(t, "")
				}
			},
			"": w.check,
		})
	})
}

func TestAClockThatIsWrongAtTheStartMovesNoKeyEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.off = 365 * 24 * time.Hour // made by a clock that is a year ahead
		w.settle(t, "")
		w.off = -time.Duration(rapid.Int64Range(0, int64(365*24*time.Hour)).Draw(t, "then"))
		w.passed += 31 * 24 * time.Hour
		before := kid(w.keys, Current)
		w.settle(t, "")
		if kid(w.keys, Current) != before {
			t.Fatal("a key signs that may have been published a moment ago")
		}
		if wanted, err := rotate(w.keys, w.now(), w.terms, true); err != nil || len(wanted) != 2 {
			t.Fatalf("and no command helps: %v", err)
		}
	})
}

func kid(keys []StoredKey, state State) string {
	if k, _ := newest(keys, state); k != nil {
		return k.ID
	}
	return ""
}

func TestKeysOfAnEarlierVersionBecomeOneLine(t *testing.T) {
	w := newWorld()
	later := w.begun.Add(time.Hour)
	w.keys = []StoredKey{
		{ID: "old", Algorithm: "ES256", State: Current, Created: w.begun, Activated: w.begun, Sealed: []byte{1}},
		{ID: "new", Algorithm: "RS256", State: Current, Created: later, Activated: later, Sealed: []byte{1}},
	}
	w.passed = 2 * time.Hour
	w.settle(t, "")
	if kid(w.keys, Current) != "new" || kid(w.keys, Previous) != "old" {
		t.Errorf("%+v", w.keys)
	}
}
