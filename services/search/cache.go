package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"portcullis/services/problem"
)

// patience is how long a guest waits for a neighbour when there is an older
// answer to give.
const patience = 700 * time.Millisecond

// cache keeps what others answered for a short time. Whoever asks the same at
// the same moment waits for one answer.
type cache[K comparable, V any] struct {
	// fresh is how long an answer stands for a new one. Zero asks every time.
	fresh time.Duration
	// stale is how old an answer may be that is given while no new one can be had.
	stale time.Duration
	// most bounds how many are kept.
	most int
	now  func() time.Time

	mu     sync.Mutex
	kept   map[K]answered[V]
	asking map[K]*question[V]
}

// answered is an answer and when it was asked for.
type answered[V any] struct {
	value V
	at    time.Time
}

// question is one that is under way. Its answer is there once done is closed.
type question[V any] struct {
	done   chan struct{}
	answer answered[V]
	err    error
}

func newCache[K comparable, V any](fresh, stale time.Duration, most int, now func() time.Time) *cache[K, V] {
	return &cache[K, V]{fresh: fresh, stale: stale, most: most, now: now, kept: map[K]answered[V]{}, asking: map[K]*question[V]{}}
}

// get returns the answer for a key, of ask if need be. It says late when that
// is an old one because ask takes long or cannot be had now.
func (c *cache[K, V]) get(ctx context.Context, key K, ask func(context.Context) (V, error)) (a answered[V], late bool, err error) {
	c.mu.Lock()
	old, known := c.kept[key]
	age := c.now().Sub(old.at)
	if known && age < c.fresh {
		c.mu.Unlock()
		return old, false, nil
	}
	q := c.ask(ctx, key, ask)
	c.mu.Unlock()

	var tired <-chan time.Time
	usable := known && age < c.stale
	if usable {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		tired = timer.C
	}
	select {
	case <-q.done:
		if q.err != nil && usable && away(q.err) {
			return old, true, nil
		}
		return q.answer, false, q.err
	case <-tired:
		return old, true, nil
	case <-ctx.Done():
		return answered[V]{}, false, problem.New(problem.ClientClosed, "").Because(ctx.Err())
	}
}

// ask starts a question, or joins the one that is under way. It is called with
// the lock held.
func (c *cache[K, V]) ask(ctx context.Context, key K, ask func(context.Context) (V, error)) *question[V] {
	// With nothing to be kept fresh each asks for itself: an answer that is under
	// way may be older than what its asker did just now.
	if q := c.asking[key]; q != nil && c.fresh > 0 {
		return q
	}
	q := &question[V]{done: make(chan struct{}), answer: answered[V]{at: c.now()}}
	c.asking[key] = q
	go func() {
		// Others may wait for it, too. It is bounded by the client's own timeout.
		q.answer.value, q.err = guarded(ask)(context.WithoutCancel(ctx))
		c.mu.Lock()
		if c.asking[key] == q {
			delete(c.asking, key)
		}
		if q.err == nil {
			c.keep(key, q.answer)
		}
		c.mu.Unlock()
		close(q.done)
	}()
	return q
}

// guarded makes an error of a panic, which nobody above would catch.
func guarded[V any](ask func(context.Context) (V, error)) func(context.Context) (V, error) {
	return func(ctx context.Context) (v V, err error) {
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("asking panicked: %v", cause)
			}
		}()
		return ask(ctx)
	}
}

// keep keeps an answer. It is called with the lock held.
func (c *cache[K, V]) keep(key K, a answered[V]) {
	if c.fresh <= 0 && c.stale <= 0 {
		return
	}
	if old, known := c.kept[key]; known && old.at.After(a.at) {
		return
	}
	if len(c.kept) >= c.most {
		c.makeRoom()
	}
	c.kept[key] = a
}

// makeRoom drops what is too old to be given, and, should that not do, any
// eighth of the rest.
func (c *cache[K, V]) makeRoom() {
	now := c.now()
	for key, a := range c.kept {
		if now.Sub(a.at) >= max(c.fresh, c.stale) {
			delete(c.kept, key)
		}
	}
	for key := range c.kept {
		if len(c.kept) <= c.most-max(c.most/8, 1) {
			return
		}
		delete(c.kept, key)
	}
}

// put keeps an answer that came by another way.
func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, answered[V]{value: value, at: c.now()})
}

// away reports whether an error says that somebody cannot be asked now, and not
// that what they say makes no sense.
func away(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && p.Status() == http.StatusServiceUnavailable
}
