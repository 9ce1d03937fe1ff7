package trial

import (
	"sync"
	"time"
)

// noon is when a request is sent whose description names no time: a Wednesday,
// within everybody's working hours.
func noon() time.Time { return time.Date(2027, time.January, 13, 12, 0, 0, 0, time.UTC) }

// clock is the time of a trial. It stands still until it is set; a test may set
// it back.
type clock struct {
	mu       sync.Mutex
	at, last time.Time
}

func newClock() *clock { return &clock{at: noon(), last: noon()} }

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
	if at.After(c.last) {
		c.last = at
	}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// latest never goes back: keys age by it, and a fetch that lies in the future
// would keep them from being fetched again.
func (c *clock) latest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
