package listen

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"portcullis/services/chassis"
)

// conn is a client's connection, below TLS.
type conn struct {
	net.Conn
	listener *listener
	balanced bool     // by a peer that says whose it is
	remote   net.Addr // the client
	turn     turn
	stall    stall

	source  netip.Addr                // who it is counted for, once entered
	awaits  atomic.Pointer[time.Time] // the client, since then
	awaited atomic.Int64              // before, in nanoseconds
	once    sync.Once

	spot // in the crowd, and guarded by it
}

// RemoteAddr is the client's address: what the balancer said, where there is one.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// enter counts the connection for its source, or refuses it.
func (c *conn) enter() bool {
	c.source = chassis.Source(c.remote)
	entered := c.listener.acceptor.crowd.enter(c)
	if !entered {
		c.listener.acceptor.metrics.count(greedy)
	}
	return entered
}

// Read lets others compute while it waits for the client.
func (c *conn) Read(p []byte) (int, error) {
	if !c.turn.held {
		return c.Conn.Read(p)
	}
	c.turn.pass()
	n, err := c.await(p)
	if again := c.turn.again(); again != nil {
		return n, again
	}
	return n, err
}

// await reads, and notes how long that took the client.
func (c *conn) await(p []byte) (int, error) {
	began := time.Now()
	c.awaits.Store(&began)
	n, err := c.Conn.Read(p)
	c.awaits.Store(nil)
	c.awaited.Add(int64(time.Since(began)))
	return n, err
}

// slowness is how long the handshake has waited for the client, and not for the
// processor, so far.
func (c *conn) slowness() time.Duration {
	all := time.Duration(c.awaited.Load())
	if began := c.awaits.Load(); began != nil {
		all += time.Since(*began)
	}
	return all
}

// awaiting reads as await does.
type awaiting struct{ *conn }

func (a awaiting) Read(p []byte) (int, error) { return a.await(p) }

// Close closes the connection and gives back what it held. It may be called
// more than once, and while the handshake goes on.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.listener.acceptor.crowd.went(c) })
	return err
}

// peer is the address at the other end, whoever the client is.
func peer(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// turn is a handshake's permission to compute. Whoever floods the port with
// handshakes fills the queue for it, and not the scheduler's, where every request
// would wait behind them all. It belongs to the goroutine of the handshake.
type turn struct {
	ctx   context.Context
	turns chan struct{}
	held  bool
}

func (t *turn) begin(ctx context.Context, turns chan struct{}) error {
	t.ctx, t.turns = ctx, turns
	return t.again()
}

func (t *turn) again() error {
	select {
	case t.turns <- struct{}{}:
		t.held = true
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

func (t *turn) pass() {
	<-t.turns
	t.held = false
}

func (t *turn) end() {
	if t.held {
		t.pass()
	}
	t.ctx = nil
}
