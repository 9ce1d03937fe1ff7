package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"portcullis/services/chassis"
	"portcullis/services/sandbox"
)

// standIn is a part of the sandbox that listens on an address of its own.
type standIn struct {
	flag, says, addr string
	handler          func() (http.Handler, error)
}

// standIns are all there are, in the order in which they start.
func standIns() []*standIn {
	return []*standIn{
		{flag: "aurora", says: "where to serve the partner hotels Aurora, over HTTPS; none if empty", handler: partnerHotels(sandbox.Aurora)},
		{flag: "baltic", says: "where to serve the partner hotels Baltic, over HTTPS; none if empty", handler: partnerHotels(sandbox.Baltic)},
	}
}

func partnerHotels(name string) func() (http.Handler, error) {
	return func() (http.Handler, error) {
		partner, err := sandbox.NewPartner(name)
		if err != nil {
			return nil, err
		}
		return partner.Handler(), nil
	}
}

// start serves the stand-in until all ends; it returns once that listens, or
// has failed, which ends all.
func (in *standIn) start(all *together, drain time.Duration, identity *tls.Config, log *slog.Logger, events io.Writer) {
	if in.addr == "" {
		return
	}
	settled := make(chan struct{})
	settle := sync.OnceFunc(func() { close(settled) })
	all.start(func(ctx context.Context) error {
		defer settle()
		handler, err := in.handler()
		if err == nil {
			err = chassis.Run(ctx, chassis.Config{
				Name:         in.flag,
				Addr:         in.addr,
				Handler:      chassis.RequestLog(log, events)(handler),
				TLS:          identity,
				DrainTimeout: drain,
				Log:          log,
				OnReady:      func(string) { settle() },
			})
		}
		if err != nil {
			return fmt.Errorf("sandbox: --%s: %w", in.flag, err)
		}
		return nil
	})
	<-settled
}

// together runs things of which each ends the others.
type together struct {
	ctx     context.Context
	cancel  context.CancelFunc
	ended   chan error
	running int
}

func newTogether(ctx context.Context) *together {
	t := &together{ended: make(chan error)}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

func (t *together) start(run func(context.Context) error) {
	t.running++
	go func() {
		err := run(t.ctx)
		t.cancel()
		t.ended <- err
	}()
}

// end ends what still runs and returns what went wrong.
func (t *together) end() (err error) {
	t.cancel()
	for ; t.running > 0; t.running-- {
		err = errors.Join(err, <-t.ended)
	}
	return err
}
