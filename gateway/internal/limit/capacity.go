package limit

import (
	"errors"
	"sync/atomic"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Capacity is the stage that bounds how many requests of a route are under way
// at once. It comes first and costs one atomic addition: when a backend hangs,
// what piles up here is refused before it costs anything else.
type Capacity struct {
	most    int64
	inUse   atomic.Int64
	release func()
}

// NewCapacity returns a stage that lets most requests through at once.
func NewCapacity(most int) (*Capacity, error) {
	if most <= 0 {
		return nil, errors.New("limit: a capacity must let at least one request through")
	}
	c := &Capacity{most: int64(most)}
	c.release = func() { c.inUse.Add(-1) } // made once, so that taking a place allocates nothing
	return c, nil
}

// Name is "capacity".
func (*Capacity) Name() string { return "capacity" }

// Most is how many requests it lets through at once.
func (c *Capacity) Most() int { return int(c.most) }

// Decide takes a place until the transaction is done, or denies with 503.
func (c *Capacity) Decide(tx *pipeline.Transaction) error {
	if c.inUse.Add(1) > c.most {
		c.inUse.Add(-1)
		tx.Rule = "capacity"
		return problem.New(problem.Overloaded, "").With("Retry-After", "1")
	}
	tx.OnDone(c.release)
	return nil
}
