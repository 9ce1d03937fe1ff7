package listen

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// phase is what a connection is doing.
type phase int

const (
	shaking phase = iota // hands: PROXY header and TLS
	silent               // has its handshake, and has asked for nothing yet
	idle                 // between two requests
	busy                 // a request is under way, or a tunnel is open
	phases
)

// patience is how long a connection of each phase has its place for certain, even
// when others wait for one. A handshake takes three trips to the client and back,
// and a request follows at once. Who comes back after ten seconds opens another
// connection without noticing.
func (p phase) patience() time.Duration {
	if p == idle {
		return 10 * time.Second
	}
	return time.Second
}

// spot is where a connection stands in the crowd.
type spot struct {
	phase         phase
	since         time.Time
	before, after *conn    // in its queue
	served        net.Conn // what the server knows the connection by
	entered, gone bool
	// greets is how many changes of state the server reports of an HTTP/2
	// connection when it has its preface, before anything is asked: active, idle.
	greets int
}

// crowd knows every open connection, and in each phase who has been in it for
// longest. Whoever floods the port holds connections that ask for nothing; when
// places run out they are closed first, so that a client finds one.
type crowd struct {
	mu     sync.Mutex
	lines  [phases]queue
	served map[net.Conn]*conn
}

// came puts a connection into the crowd.
func (w *crowd) came(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.phase, c.since = shaking, time.Now()
	w.lines[shaking].push(c)
}

// enter counts c for its source; false when that has too many, or c is gone.
func (w *crowd) enter(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.entered = !c.gone && c.listener.slots.Enter(c.source)
	return c.entered
}

// arrived: the server will know c as served.
func (w *crowd) arrived(c *conn, served net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.gone {
		return
	}
	if w.served == nil {
		w.served = map[net.Conn]*conn{}
	}
	c.served = served
	if secure, ok := served.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
		c.greets = 2
	}
	w.served[served] = c
	w.move(c, silent)
}

func (w *crowd) move(c *conn, to phase) {
	w.lines[c.phase].remove(c)
	c.phase, c.since = to, time.Now()
	w.lines[to].push(c)
}

// went takes c out of the crowd and gives back its place.
func (w *crowd) went(c *conn) {
	w.mu.Lock()
	c.gone = true
	w.lines[c.phase].remove(c)
	delete(w.served, c.served)
	entered := c.entered
	w.mu.Unlock()
	if entered {
		c.listener.slots.Leave(c.source)
	}
	c.listener.slots.Give()
}

// ConnState follows what the server does with a connection; it is for
// http.Server.ConnState.
func (a *Acceptor) ConnState(served net.Conn, state http.ConnState) {
	w := &a.crowd
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.served[served]
	if c == nil {
		return
	}
	// Or a preface would make a client of whoever has asked for nothing, with ten
	// times its patience and its place kept until nobody else can make one.
	if c.greets > 0 && (state == http.StateActive || state == http.StateIdle) {
		c.greets--
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		w.move(c, busy)
	case http.StateIdle:
		w.move(c, idle)
	}
}

// relieve closes the connection in one of some phases that has held its place
// for longest; false when every one may keep it for a while.
func (w *crowd) relieve(of ...phase) bool {
	now := time.Now()
	w.mu.Lock()
	var longest *conn
	for _, p := range of {
		c := w.first(p, now)
		// An idle one has been a client: it goes when nobody else can.
		if c == nil || longest != nil && (p == idle || longest.since.Before(c.since)) {
			continue
		}
		longest = c
	}
	w.mu.Unlock()
	if longest == nil {
		return false
	}
	longest.listener.acceptor.metrics.relieved.Inc()
	longest.Close()
	return true
}

// sought is how many connections are looked at for one to close.
const sought = 64

// first is the connection that has been longest in a phase; nil when every one may
// stay. A handshake that waits for the processor is not its client's fault.
func (w *crowd) first(p phase, now time.Time) *conn {
	c := w.lines[p].first
	for range sought {
		if c == nil || now.Sub(c.since) < p.patience() {
			return nil
		}
		if p != shaking || c.slowness() >= p.patience() {
			return c
		}
		c = c.after
	}
	return nil
}

// closeUnserved closes what came through l and has not reached the server.
func (w *crowd) closeUnserved(l *listener) {
	var unserved []*conn
	w.mu.Lock()
	for c := w.lines[shaking].first; c != nil; c = c.after {
		if c.listener == l {
			unserved = append(unserved, c)
		}
	}
	w.mu.Unlock()
	for _, c := range unserved {
		c.Close()
	}
}

// count is how many connections there are in each phase.
func (w *crowd) count() (n [phases]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range n {
		n[p] = w.lines[p].length
	}
	return n
}
