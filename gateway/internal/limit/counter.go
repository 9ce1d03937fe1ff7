package limit

import (
	"errors"
	"hash/maphash"
	"time"

	"github.com/go-chi/httprate"
)

// Counter returns a counter for one httprate limiter, with keys of its own, in
// this engine: bounded memory and seeded hashes where httprate's own counter
// grows with its keys and lets outsiders find colliding ones.
//
// It tells httprate the debt of a key in place of window counts, so the limiter
// decides by GCRA with a burst of its whole limit. No call does any I/O: the
// limiter holds a lock around them.
func (e *Engine) Counter() httprate.LimitCounter {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &counter{engine: e, table: e.newTable()}
}

type counter struct {
	engine *Engine
	table  *table
	rate   rate
}

// Config is called once by httprate, before anything else.
func (c *counter) Config(requests int, window time.Duration) {
	c.rate = Limit{Count: requests, Per: window}.rate()
}

var errNotConfigured = errors.New("a limit counter was asked before httprate configured it")

// Get returns the requests that key still owes as the current window's count;
// the previous window's is always 0.
func (c *counter) Get(key string, _, _ time.Time) (current, previous int, err error) {
	err = c.with(key, func(e *entry, _ digest, now int64) {
		base, _ := decide(now, e.tat, c.rate)
		current = c.rate.spent(now, base)
	})
	return current, 0, err
}

// Increment counts one request of key.
func (c *counter) Increment(key string, window time.Time) error {
	return c.IncrementBy(key, window, 1)
}

// IncrementBy counts a request of key that costs as much as amount.
func (c *counter) IncrementBy(key string, _ time.Time, amount int) error {
	return c.with(key, func(e *entry, k digest, now int64) {
		base, _ := decide(now, e.tat, c.rate)
		cost := c.rate.interval * min(max(0, int64(amount)), farthest/c.rate.interval)
		*e = entry{k, min(base+cost, now+c.rate.tolerance)}
	})
}

func (c *counter) with(key string, do func(e *entry, k digest, now int64)) error {
	if c.rate.interval == 0 {
		return errNotConfigured
	}
	k := digest{maphash.String(c.engine.seeds[0], key), maphash.String(c.engine.seeds[1], key)}
	shard := c.table.shard(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	shard.now = max(shard.now, c.engine.now(time.Now()))
	do(shard.find(k, shard.now), k, shard.now)
	return nil
}
