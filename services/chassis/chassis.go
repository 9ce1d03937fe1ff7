// Package chassis is how every process here runs: it listens with bounds on
// everything a client may cost, reports whether it is alive and ready, counts,
// writes one event per request, and stops without dropping a request it has
// begun.
package chassis

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config describes a process that serves HTTP.
type Config struct {
	// Name is the process's name in diagnostics.
	Name string
	// Addr is where it listens, which the flag --addr of every process here
	// sets; see Listen.
	Addr    string
	Handler http.Handler
	// TLS makes it serve HTTPS with HTTP/1.1 and HTTP/2; nil serves HTTP/1.1
	// in the clear, for loopback and tests.
	TLS *tls.Config
	// Accept, if set, makes of each listener of Addr the one that is served, in
	// place of TLS: it hands out connections whose handshake is done, each within
	// slots; by their type *tls.Conn those are known that speak HTTP/2.
	Accept func(l net.Listener, slots *Slots) net.Listener
	// Plain is where PlainHandler is served in the clear, HTTP/1.1 alone, beside
	// Addr and within the same Limits (--http); empty for nowhere.
	Plain        string
	PlainHandler http.Handler
	// Ops is where /healthz, /readyz and /metrics are served in the clear, for
	// this machine only (--ops); empty for nowhere.
	Ops string
	// OpsHandler serves the other paths of the ops port; may be nil.
	OpsHandler http.Handler
	// Metrics are shown at /metrics; nil for none.
	Metrics prometheus.Gatherer
	// Ready tells why the process cannot do its work now; nil for always
	// ready. It is given two seconds.
	Ready func(context.Context) error
	// DrainDelay is how long the process goes on accepting while /readyz fails
	// already, so that whoever balances can look elsewhere; default none.
	DrainDelay time.Duration
	// DrainTimeout bounds how long requests that have begun may take once
	// draining started; default 10 s.
	DrainTimeout time.Duration
	// Log takes diagnostics; nil keeps silent.
	Log    *slog.Logger
	Limits Limits
	// OnReady, OnPlain and OnOps, if set, are told the address once it accepts
	// connections, for ports picked by the system.
	OnReady, OnPlain, OnOps func(addr string)
	// Stop, if set, ends what the handler needs, after the last request. It
	// shares the drain's time, of which it always gets a second.
	Stop func(context.Context) error
	// Tune, if set, may change the public server before it starts: ConnContext,
	// ErrorLog, ConnState. Bounds are better set through Limits.
	Tune func(*http.Server)
}

func (c Config) withDefaults() (Config, error) {
	if c.Handler == nil {
		return c, errors.New("there is no handler to serve")
	}
	if c.Plain != "" && c.PlainHandler == nil {
		return c, errors.New("there is no handler to serve in the clear")
	}
	if c.Accept != nil && c.TLS != nil {
		return c, errors.New("TLS is for the listener that Accept makes: leave Config.TLS out")
	}
	if c.DrainDelay < 0 || c.DrainTimeout < 0 {
		return c, errors.New("the drain delay and the drain timeout cannot be negative")
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	c.Limits, err = c.Limits.withDefaults()
	return c, err
}
