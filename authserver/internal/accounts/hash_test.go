package accounts

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAHashNamesItsCostAndMatchesItsPasswordAlone(t *testing.T) {
	t.Parallel()
	text := newHash("correct horse").String()
	if !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %q", text)
	}
	h, err := parseHash(text)
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches("correct horse") || h.matches("correct horse ") || h.matches("") {
		t.Error("it matches another password, or not its own")
	}
	if newHash("correct horse").String() == text {
		t.Error("two hashes have one salt")
	}
	if dummyHash().matches("") {
		t.Error("the hash of nobody matches")
	}
}

func TestAHashThatIsNotOursIsRefused(t *testing.T) {
	t.Parallel()
	good := newHash("x").String()
	for name, text := range map[string]string{
		"empty":             "",
		"another kind":      strings.Replace(good, "argon2id", "argon2i", 1),
		"another version":   strings.Replace(good, "v=19", "v=16", 1),
		"a gigabyte":        strings.Replace(good, "m=19456", "m=1048576", 1),
		"a thousand passes": strings.Replace(good, "t=2", "t=1000", 1),
		"no passes":         strings.Replace(good, "t=2", "t=0", 1),
		"no threads":        strings.Replace(good, "p=1", "p=0", 1),
		"a leading zero":    strings.Replace(good, "m=19456", "m=019456", 1),
		"a cut tail":        good[:len(good)-2],
		"more behind":       good + "$",
		"blanks":            " " + good,
	} {
		if _, err := parseHash(text); err == nil || strings.Contains(err.Error(), "$") {
			t.Errorf("%s: error %v, want one that does not quote it", name, err)
		}
	}
}

// FuzzParseHash: what is read is written back as it was, and costs what is
// allowed.
func FuzzParseHash(f *testing.F) {
	f.Add(dummyHash().String())
	f.Add("$argon2id$v=19$m=-1,t=2,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err != nil {
			return
		}
		if h.String() != text || h.memory > maxMemory || h.time > maxTime || h.threads > maxThreads {
			t.Fatalf("%q is read as %+v", text, h.cost)
		}
	})
}

// Two hundred sign in at once: as many hash as there are turns, eight wait for
// two seconds at most, and the rest is told at once.
func TestAFloodHoldsNoMoreThanItsTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hasher{turns: make(chan struct{}, 2)}
		begun := time.Now()
		var now, most, served, atOnce, late atomic.Int32
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				done, err := h.turn(context.Background())
				switch {
				case err == nil:
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(1500 * time.Millisecond) // a very slow hash
					now.Add(-1)
					served.Add(1)
					done()
				case !errors.Is(err, ErrBusy):
					t.Error(err)
				case time.Since(begun) == 0:
					atOnce.Add(1)
				case time.Since(begun) == hashWait:
					late.Add(1)
				default:
					t.Errorf("told after %v", time.Since(begun))
				}
			})
		}
		all.Wait()
		if most.Load() != 2 || served.Load() != 4 || atOnce.Load() != 190 || late.Load() != 6 {
			t.Errorf("%d at once at most, %d served, %d told at once, %d after two seconds; want 2, 4, 190, 6",
				most.Load(), served.Load(), atOnce.Load(), late.Load())
		}
		if len(h.turns) != 0 || h.waiting.Load() != 0 {
			t.Error("a turn was not given back")
		}
	})
}

func TestWhoLeavesGivesUpTheirPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hasher{turns: make(chan struct{}, 1)}
		h.turns <- struct{}{}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := h.turn(ctx); !errors.Is(err, context.DeadlineExceeded) || h.waiting.Load() != 0 {
			t.Errorf("error %v, %d still wait", err, h.waiting.Load())
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := dummyHash()
	b.ReportAllocs()
	for b.Loop() {
		h.matches("correct horse battery")
	}
}
