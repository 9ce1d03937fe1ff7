// Package upstream sends allowed requests on: a named group of endpoints, each
// behind a breaker, balanced round robin, reached through one http.Transport, or
// past it where a request has no body (direct).
// It attaches the credential, keeps hop-by-hop and identity fields on their
// side, and copies the answer back without buffering it.
//
// The bar of a forward path (bar_test.go) holds 34 cases, and all stand. What
// http.Transport fails of them by itself is mended around it. It relays answers
// that have a Content-Length beside a Transfer-Encoding, bare line feeds, folded
// fields or a space before a colon: package framing reads below it and refuses
// them with 502, as failures of the endpoint, and gives the connection up. It
// sends a client its 100 before the upstream was asked: upload waits for the
// upstream's. An early answer does not reach a client that still sends: upload
// has the server speak while it listens, and closeUnread ends the connection.
//
// What cannot be done soundly around it, each because it keeps to itself how
// much of a request a connection has taken:
//   - A streamed body that meets a kept connection the endpoint has closed is
//     answered with 502: nothing was sent, but the body may have been read.
//   - An answer malformed behind its head was promised with its status already:
//     the client's connection is cut, and no breaker hears of it.
//   - A client that leaves within the first 200 ms of an exchange is noticed at
//     their end: see patience.
package upstream

import (
	"net/http"
	"sync"
	"sync/atomic"

	"portcullis/gateway/internal/pipeline"
)

// Upstream is a named group of endpoints. It is safe for concurrent use.
type Upstream struct {
	config    Config
	endpoints []*endpoint
	transport http.RoundTripper
	turn      atomic.Uint64
	bearer    atomic.Pointer[bearer]
	exchanger Exchanger // the credential, where it exchanges the caller's token
	exchanges exchangeMeter
	buffers   sync.Pool // *[bufferSize]byte
	idle      sync.Pool // *exchange
}

// New makes an upstream; it connects to nothing yet.
func New(c Config) (*Upstream, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	previous := c.Previous
	c.Previous = nil // an old policy must not be kept alive by the new one
	c = c.withDefaults()
	u := &Upstream{config: c, transport: c.RoundTrip}
	if u.transport == nil {
		u.transport = newDirect(c)
	}
	if exchanger, ok := c.Credential.(Exchanger); ok {
		u.exchanger, u.exchanges = exchanger, c.Metrics.exchange(c.Name)
	}
	u.buffers.New = func() any { return new([bufferSize]byte) }
	u.idle.New = func() any { return newExchange() }
	for _, raw := range c.Endpoints {
		e := previous.keep(raw, c)
		if e == nil {
			var err error
			if e, err = newEndpoint(raw, c); err != nil {
				return nil, err
			}
		}
		u.endpoints = append(u.endpoints, e)
	}
	return u, nil
}

// keep returns the endpoint whose breaker may stand in an upstream of config c.
func (u *Upstream) keep(raw string, c Config) *endpoint {
	if u == nil || u.config.Name != c.Name || u.config.Breaker != c.Breaker || u.config.Metrics != c.Metrics {
		return nil
	}
	for _, e := range u.endpoints {
		if e.raw == raw {
			return e
		}
	}
	return nil
}

// Same reports whether New(c) would make an upstream that behaves like this
// one, so that this one may stay. TLS, Metrics and Credential are compared by
// identity, Log is not compared.
func (u *Upstream) Same(c Config) bool { return u.config.same(c.withDefaults()) }

// Retire closes idle connections, and ends the metrics of what next, which takes
// the place of u and may be nil, does not have. Requests under way go on.
func (u *Upstream) Retire(next *Upstream) {
	u.config.Metrics.forget(u, next)
	if d, ok := u.transport.(*direct); ok {
		d.closeIdle()
	}
}

// Status tells how each endpoint stands.
func (u *Upstream) Status() []EndpointStatus {
	all := make([]EndpointStatus, len(u.endpoints))
	for i, e := range u.endpoints {
		all[i] = e.status()
	}
	return all
}

// Forwarder returns what a route sends its requests with.
func (u *Upstream) Forwarder(o RouteOptions) pipeline.Forwarder {
	return &forwarder{u, o}
}
