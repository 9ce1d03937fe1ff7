package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Run listens and serves until ctx ends, then drains: readiness fails, the
// drain delay passes while requests are still accepted, those that have begun
// finish within the drain timeout, and Stop is called. It returns nil when
// nothing was cut off. It fails at once when it cannot listen.
func Run(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	listeners, err := Listen(c.Addr, "--addr")
	if err != nil {
		return err
	}
	health := &health{ready: c.Ready}
	failed := make(chan error, 6)

	ops, err := startOps(c, health, failed)
	if err != nil {
		closeAll(listeners)
		return err
	}
	plain, err := startPlain(c, health, failed)
	if err != nil {
		closeAll(listeners)
		if ops != nil {
			ops.Close()
		}
		return err
	}
	public := c.server()
	public.Handler = health.hurry(public.Handler)
	serve(public, listeners, c.accept(), failed)
	addr := listeners[0].Addr().String()
	c.Log.Info("serving", "name", c.Name, "addr", c.Addr, "listening", addr)
	if c.OnReady != nil {
		c.OnReady(addr)
	}

	var broken error
	select {
	case <-ctx.Done():
		health.draining.Store(true)
		c.Log.Info("draining", "name", c.Name, "delay", c.DrainDelay.String(), "timeout", c.DrainTimeout.String())
		select {
		case <-time.After(c.DrainDelay):
		case broken = <-failed:
		}
	case broken = <-failed:
		health.draining.Store(true)
	}
	return errors.Join(broken, c.drain(public, plain, ops))
}

// server is the public server with its bounds.
func (c Config) server() *http.Server {
	s := &http.Server{
		Handler:   c.Handler,
		TLSConfig: c.TLS,
		ErrorLog:  slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		Protocols: new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(c.TLS != nil || c.Accept != nil)
	c.Limits.apply(s)
	if c.Tune != nil {
		c.Tune(s)
	}
	withResets(s)
	return s
}

// startPlain serves what is served in the clear; nil without it.
func startPlain(c Config, h *health, failed chan<- error) (*http.Server, error) {
	if c.Plain == "" {
		return nil, nil
	}
	listeners, err := Listen(c.Plain, "--http")
	if err != nil {
		return nil, err
	}
	c.Handler, c.TLS, c.Accept = c.PlainHandler, nil, nil
	s := c.server()
	s.Handler = h.hurry(s.Handler)
	serve(s, listeners, c.accept(), failed)
	if c.OnPlain != nil {
		c.OnPlain(listeners[0].Addr().String())
	}
	return s, nil
}

// accept is how a listener's connections are taken: one set of slots for all.
func (c Config) accept() func(*http.Server, net.Listener) error {
	free := newSlots(c.Limits)
	switch {
	case c.Accept != nil:
		return func(s *http.Server, l net.Listener) error { return s.Serve(c.Accept(l, free)) }
	case c.TLS != nil:
		return func(s *http.Server, l net.Listener) error { return s.ServeTLS(bound(l, free), "", "") }
	default:
		return func(s *http.Server, l net.Listener) error { return s.Serve(bound(l, free)) }
	}
}

// serve starts s on each listener; the first failure of each goes to failed.
func serve(s *http.Server, listeners []net.Listener, accept func(*http.Server, net.Listener) error, failed chan<- error) {
	for _, l := range listeners {
		go func() {
			err := accept(s, l)
			if !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving on %s: %w", l.Addr(), err)
			}
		}()
	}
}

// drain lets begun requests finish, then ends everything.
func (c Config) drain(public, plain, ops *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
	defer cancel()
	if plain != nil {
		// Its answers take no time, and its clients have another address.
		defer plain.Close()
		go func() { _ = plain.Shutdown(ctx) }()
	}
	err := public.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("%s: requests were cut off after the drain timeout of %v", c.Name, c.DrainTimeout)
		public.Close()
	}
	if c.Stop != nil {
		// Closing a database must not be skipped because a client was slow.
		stopCtx, cancelStop := context.WithTimeout(context.Background(), max(time.Second, untilEnd(ctx)))
		err = errors.Join(err, c.Stop(stopCtx))
		cancelStop()
	}
	if ops != nil {
		ops.Close()
	}
	return err
}

func untilEnd(ctx context.Context) time.Duration {
	end, _ := ctx.Deadline()
	return time.Until(end)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
