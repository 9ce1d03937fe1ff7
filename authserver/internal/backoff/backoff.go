// Package backoff makes who fails again and again wait longer and longer, and
// nobody else. It never locks anyone out for good: the longest wait is bounded,
// and one success ends it. Keys should hold the source of the attempts, or a
// stranger's failures make the owner wait.
package backoff

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Config is what a table is made of. Zero means the default.
type Config struct {
	// Free failures cost nothing: people mistype. Default 5.
	Free int
	// First is the wait after the failure that follows them; each further one
	// doubles it, up to Most. Default 1 s and 60 s.
	First, Most time.Duration
	// Forget is how long after the last failure a key is forgotten. Default
	// one hour; at least Most.
	Forget time.Duration
	// Keys bounds how many are remembered; the one whose last failure is the
	// longest ago goes first. Default 100,000, about 20 MB.
	Keys int
}

// Table remembers failures by key. It is safe for concurrent use.
type Table[Key comparable] struct {
	cfg Config

	mu   sync.Mutex
	keys map[Key]*list.Element // of *entry[Key]
	// recent has the key that failed last in front.
	recent *list.List
}

type entry[Key comparable] struct {
	key      Key
	failures int
	last     time.Time
}

// New returns an empty table.
func New[Key comparable](cfg Config) (*Table[Key], error) {
	if cfg.Free < 0 || cfg.First < 0 || cfg.Most < 0 || cfg.Forget < 0 || cfg.Keys < 0 {
		return nil, errors.New("a back-off has a negative number: leave it out for the default")
	}
	if cfg.Free == 0 {
		cfg.Free = 5
	}
	if cfg.First == 0 {
		cfg.First = time.Second
	}
	if cfg.Most == 0 {
		cfg.Most = time.Minute
	}
	if cfg.Forget == 0 {
		cfg.Forget = time.Hour
	}
	if cfg.Keys == 0 {
		cfg.Keys = 100_000
	}
	if cfg.First > cfg.Most || cfg.Most > cfg.Forget {
		return nil, fmt.Errorf("a back-off from %v to %v that is forgotten after %v: they must not decrease", cfg.First, cfg.Most, cfg.Forget)
	}
	return &Table[Key]{cfg: cfg, keys: make(map[Key]*list.Element), recent: list.New()}, nil
}

// Wait is how long the key has to wait before its next attempt; zero if it may
// try now. An attempt that is refused for it is no failure: it does not make
// the wait longer.
func (t *Table[Key]) Wait(key Key, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	element, ok := t.keys[key]
	if !ok {
		return 0
	}
	e := element.Value.(*entry[Key])
	return max(0, e.last.Add(t.wait(e.failures)).Sub(now))
}

// wait is how long to wait after so many failures.
func (t *Table[Key]) wait(failures int) time.Duration {
	if failures <= t.cfg.Free {
		return 0
	}
	wait := t.cfg.First
	for range failures - t.cfg.Free - 1 {
		if wait >= t.cfg.Most {
			return t.cfg.Most
		}
		wait *= 2
	}
	return min(wait, t.cfg.Most)
}

// Failed notes one more failure of the key.
func (t *Table[Key]) Failed(key Key, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	element, ok := t.keys[key]
	if !ok {
		element = t.recent.PushFront(&entry[Key]{key: key})
		t.keys[key] = element
	}
	e := element.Value.(*entry[Key])
	if now.Sub(e.last) >= t.cfg.Forget {
		e.failures = 0
	}
	e.failures++
	e.last = now
	t.recent.MoveToFront(element)
	t.shrink(now)
}

// shrink forgets what is too old, and what is too much.
func (t *Table[Key]) shrink(now time.Time) {
	for oldest := t.recent.Back(); oldest != nil; oldest = t.recent.Back() {
		e := oldest.Value.(*entry[Key])
		if len(t.keys) <= t.cfg.Keys && now.Sub(e.last) < t.cfg.Forget {
			return
		}
		t.forget(oldest)
	}
}

// Succeeded forgets the key's failures.
func (t *Table[Key]) Succeeded(key Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if element, ok := t.keys[key]; ok {
		t.forget(element)
	}
}

func (t *Table[Key]) forget(element *list.Element) {
	t.recent.Remove(element)
	delete(t.keys, element.Value.(*entry[Key]).key)
}

// Len is how many keys are remembered.
func (t *Table[Key]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.keys)
}
