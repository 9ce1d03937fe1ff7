package upstream

import (
	"context"
	"net"
	"net/url"
	"sync"
	"time"
)

// line holds the connections of direct to one endpoint.
type line struct {
	dialer *dialer
	addr   string
	places chan struct{} // one for each request under way

	mu     sync.Mutex
	idle   []*wire // the one used last at the end
	sweeps uint    // so far
	sweep  *time.Timer
	set    bool // the timer is
}

func newLine(d *dialer, endpoint *url.URL) *line {
	addr := endpoint.Host
	if endpoint.Port() == "" {
		addr = net.JoinHostPort(endpoint.Hostname(), "80")
	}
	return &line{dialer: d, addr: addr, places: make(chan struct{}, maxConnections)}
}

// take returns the kept connection that was used last, or a new one. A request
// beyond maxConnections waits within its own time.
func (l *line) take(ctx context.Context) (*wire, error) {
	select {
	case l.places <- struct{}{}:
	default:
		select {
		case l.places <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	l.mu.Lock()
	if last := len(l.idle) - 1; last >= 0 {
		w := l.idle[last]
		l.idle[last] = nil
		l.idle = l.idle[:last]
		l.mu.Unlock()
		return w, nil
	}
	l.mu.Unlock()
	conn, err := l.dialer.plain(ctx, "tcp", l.addr)
	if err != nil {
		<-l.places
		return nil, err
	}
	return newWire(l, conn), nil
}

// give takes a connection back whose request has ended; one that cannot be kept
// is closed.
func (l *line) give(w *wire, keep bool) {
	if keep {
		keep = l.keep(w)
	}
	if !keep {
		_ = w.Close()
	}
	<-l.places
}

func (l *line) keep(w *wire) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) >= maxIdle {
		return false
	}
	w.used, w.sweeps = true, l.sweeps
	l.idle = append(l.idle, w)
	switch {
	case l.set:
	case l.sweep == nil:
		l.sweep = time.AfterFunc(idleTimeout/2, l.clean)
	default:
		l.sweep.Reset(idleTimeout / 2)
	}
	l.set = true
	return true
}

// clean closes what was idle when it was called before: for half of idleTimeout
// at least, and all of it at most.
func (l *line) clean() {
	l.mu.Lock()
	old := 0
	for old < len(l.idle) && l.idle[old].sweeps < l.sweeps {
		old++
	}
	l.sweeps++
	closing := l.drop(old)
	if l.set = len(l.idle) > 0; l.set {
		l.sweep.Reset(idleTimeout / 2)
	}
	l.mu.Unlock()
	for _, w := range closing {
		_ = w.Close()
	}
}

// drop takes out the n that were used longest ago; mu is held.
func (l *line) drop(n int) []*wire {
	dropped := append([]*wire(nil), l.idle[:n]...)
	kept := copy(l.idle, l.idle[n:])
	clear(l.idle[kept:])
	l.idle = l.idle[:kept]
	return dropped
}

func (l *line) closeIdle() {
	l.mu.Lock()
	closing := l.drop(len(l.idle))
	l.mu.Unlock()
	for _, w := range closing {
		_ = w.Close()
	}
}
