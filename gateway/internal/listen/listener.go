package listen

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"portcullis/services/chassis"
)

// listener accepts in the background, so that no client waits for the handshake
// of another.
type listener struct {
	net.Listener
	acceptor *Acceptor
	slots    *chassis.Slots
	ready    chan accepted
	begin    sync.Once
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
}

type accepted struct {
	conn net.Conn
	err  error
}

// Accept returns a connection whose handshake is done.
func (l *listener) Accept() (net.Conn, error) {
	l.begin.Do(func() { go l.run() })
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends the listener, and with it every connection that is not served yet:
// the server does not know them, and would leave them behind.
func (l *listener) Close() error {
	l.cancel()
	err := l.Listener.Close()
	l.acceptor.crowd.closeUnserved(l)
	return err
}

func (l *listener) run() {
	for l.ctx.Err() == nil {
		raw, err := l.Listener.Accept()
		if err != nil {
			l.hand(accepted{err: err})
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // the server waits a moment after what may pass, and ends otherwise
		}
		if !l.take() {
			raw.Close()
			return
		}
		c := &conn{Conn: raw, listener: l, remote: raw.RemoteAddr()}
		c.balanced = l.acceptor.balances(peer(raw))
		l.acceptor.crowd.came(c)
		if !c.balanced && !c.enter() {
			c.Close()
			continue
		}
		go func() {
			if ready := l.acceptor.welcome(c); ready != nil && !l.hand(accepted{conn: ready}) {
				ready.Close()
			}
		}()
	}
}

// hand gives the server what Accept returns; false when it is not wanted any
// more.
func (l *listener) hand(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// take takes a slot, if need be from whoever has had one for longest without
// asking for anything.
func (l *listener) take() bool {
	return take(l.ctx, l.slots, func() bool { return l.acceptor.crowd.relieve(shaking, silent, idle) })
}

// pressed is how long one who finds no free slot waits before it looks again for
// a connection to close.
const pressed = 20 * time.Millisecond

// take takes a slot; false when ctx has ended first. While none is free, relieve
// is called now and then, and reports whether there is one now.
func take(ctx context.Context, slots *chassis.Slots, relieve func() (free bool)) bool {
	for !slots.TryTake() {
		if relieve() {
			continue
		}
		moment, cancel := context.WithTimeout(ctx, pressed)
		taken := slots.Take(moment.Done())
		cancel()
		if taken {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}
