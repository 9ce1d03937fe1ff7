// Package listen is the gateway's public port below net/http: who is connected,
// by TCP or by what a load balancer says in the PROXY protocol; TLS, with the
// certificates of clients where the policy asks for them; and how many may try
// at once. What a client sends after that is another's business.
//
// Whoever connects has paid for nothing yet and has proved nothing. So all that a
// connection can take here is bounded, for everybody together and for each source:
// its time, the processor's time for its handshake, and its place.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/certs"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/chassis"
)

// Config is what an Acceptor needs.
type Config struct {
	// Current gives the policy in force: whose PROXY headers are believed, and
	// who shows a certificate.
	Current *pipeline.Current
	// Certificates are what is shown to clients.
	Certificates *certs.Shelf
	// Wrap, if set, is given each connection that does not speak HTTP/2; what it
	// returns is served. It must pass ConnectionState on.
	Wrap func(net.Conn) net.Conn
	// Handshake bounds the time for the PROXY header and the TLS handshake
	// together; default 5 s.
	Handshake time.Duration
	// Handshakes bounds how many go on at once; default 1024. More wait, within
	// their time. HandshakesPerSource is for one IPv4 address or IPv6 /64; default
	// 64. More are hung up on.
	Handshakes, HandshakesPerSource int
	// Stall bounds how long a client may take for one write of ours, some
	// kilobytes, before it is hung up on; default 15 s.
	Stall   time.Duration
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Acceptor makes listeners that hand out connections ready for HTTP. They share
// its bounds.
type Acceptor struct {
	current   *pipeline.Current
	shelf     *certs.Shelf
	tls       *tls.Config
	wrap      func(net.Conn) net.Conn
	time      time.Duration
	stall     time.Duration
	gate      gate
	turns     chan struct{} // as many as handshakes may compute at once
	crowd     crowd
	metrics   *metrics
	log       *slog.Logger
	complaint atomic.Pointer[RefusedHeader]
}

// New returns an Acceptor. It starts nothing.
func New(c Config) (*Acceptor, error) {
	if c.Current == nil || c.Certificates == nil || c.Metrics == nil || c.Log == nil {
		return nil, errors.New("listen: current, certificates, metrics and log are all required")
	}
	if c.Handshake < 0 || c.Stall < 0 || c.Handshakes < 0 || c.HandshakesPerSource < 0 {
		return nil, errors.New("listen: a bound cannot be negative, and nothing is unlimited here")
	}
	a := &Acceptor{
		current: c.Current, shelf: c.Certificates, wrap: c.Wrap, time: c.Handshake, stall: c.Stall, log: c.Log,
		// With one for each processor all of them can be busy, and a request that
		// has to compute waits behind as many handshakes at most.
		turns: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	if a.time == 0 {
		a.time = 5 * time.Second
	}
	if a.stall == 0 {
		a.stall = 15 * time.Second
	}
	a.tls = a.config(c.Certificates.Server("h2", "http/1.1"))
	var err error
	if a.gate, err = newGate(c.Handshakes, c.HandshakesPerSource); err != nil {
		return nil, err
	}
	a.metrics, err = newMetrics(a, c.Metrics)
	return a, err
}

// Listen makes a listener of l whose connections are within slots; see
// chassis.Config.Accept.
func (a *Acceptor) Listen(l net.Listener, slots *chassis.Slots) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	return &listener{Listener: l, acceptor: a, slots: slots, ready: make(chan accepted), ctx: ctx, cancel: cancel}
}

// balances reports whether a peer is to begin with a PROXY header.
func (a *Acceptor) balances(peer netip.Addr) bool {
	s := a.current.Load()
	if s == nil {
		return false
	}
	for _, p := range s.Balancers {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// welcome brings c to where HTTP begins, or closes it.
func (a *Acceptor) welcome(c *conn) (ready net.Conn) {
	defer func() {
		// A certificate that makes a parser panic ends its own connection alone.
		if cause := recover(); cause != nil {
			a.log.Error("a handshake panicked", "panic", fmt.Sprint(cause))
			a.metrics.count(failed)
		}
		if ready == nil {
			c.Close()
		}
	}()
	until := time.Now().Add(a.time)
	ctx, cancel := context.WithDeadline(c.listener.ctx, until)
	defer cancel()
	if err := c.Conn.SetDeadline(until); err != nil {
		return nil
	}
	if c.balanced {
		client, err := readProxy(awaiting{c})
		if err != nil {
			a.complaint.Store(&RefusedHeader{time.Now().UTC(), c.Conn.RemoteAddr().String(), err.Error()})
			a.metrics.count(unproxied)
			return nil
		}
		if client.IsValid() {
			c.remote = net.TCPAddrFromAddrPort(client)
		}
		if !c.enter() {
			return nil
		}
	}
	if !a.gate.enter(ctx, c.source, func() { a.crowd.relieve(shaking) }) {
		a.metrics.count(crowded)
		return nil
	}
	defer a.gate.leave(c.source)
	return a.handshake(ctx, c)
}

// handshake returns the connection that is served; nil after a failure.
func (a *Acceptor) handshake(ctx context.Context, c *conn) net.Conn {
	secure := tls.Server(c, a.tls)
	err := c.turn.begin(ctx, a.turns)
	if err == nil {
		err = secure.HandshakeContext(context.WithoutCancel(ctx)) // the deadline of c ends it
	}
	c.turn.end()
	if err == nil {
		err = c.Conn.SetDeadline(time.Time{})
	}
	if err != nil {
		a.metrics.count(outcome(err))
		return nil
	}
	a.metrics.count(served)
	var ready net.Conn = secure
	if a.wrap != nil && secure.ConnectionState().NegotiatedProtocol != "h2" {
		ready = a.wrap(secure)
	}
	a.crowd.arrived(c, ready)
	return ready
}
