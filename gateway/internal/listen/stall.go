package listen

import (
	"sync"
	"time"
)

// stall hangs up on a client that does not read what it asked for. The server's
// bound on an answer has to leave time for the slowest that is still good; a
// client that takes nothing at all, or a few bytes a second, needs none.
type stall struct {
	mu     sync.Mutex
	wanted time.Time // what the server has set; zero for none
	armed  time.Time // what the connection has
}

// Write bounds the time of one write besides what the server set. It moves the
// deadline of the connection at most twice in that time, so that most writes pay
// for a look at the clock.
func (c *conn) Write(p []byte) (int, error) {
	if c.turn.ctx != nil { // a handshake, which has its own deadline
		return c.Conn.Write(p)
	}
	s, most, now := &c.stall, c.listener.acceptor.stall, time.Now()
	s.mu.Lock()
	if s.wanted.IsZero() || now.Before(s.wanted) { // else what is armed ends it
		until := now.Add(most)
		if !s.wanted.IsZero() && s.wanted.Before(until) {
			until = s.wanted
		}
		if s.armed.Sub(now) < most/2 && s.armed.Before(until) || until.Before(s.armed) {
			if err := c.Conn.SetWriteDeadline(until); err != nil {
				s.mu.Unlock()
				return 0, err
			}
			s.armed = until
		}
	}
	s.mu.Unlock()
	return c.Conn.Write(p)
}

// SetWriteDeadline is the server's. Only one that ends a write sooner is passed
// on at once: it may be there to end one under way.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.stall.mu.Lock()
	defer c.stall.mu.Unlock()
	c.stall.wanted = t
	if t.IsZero() || !c.stall.armed.IsZero() && !t.Before(c.stall.armed) {
		return nil
	}
	c.stall.armed = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both, as net.Conn says.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}
