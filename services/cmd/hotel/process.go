package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/services/chassis"
)

// eventBuffer bounds the request events that wait for a slow reader, in bytes:
// about a thousand.
const eventBuffer = 256 << 10

// process is what the command line says about one service.
type process struct {
	name                     string
	addr, ops, data          string
	files                    certs.Files
	issuer, tokenURL         string
	clientID, secretFile     string
	stale                    time.Duration
	then                     string
	drainDelay, drainTimeout time.Duration
}

// service is one of ours, ready to be served.
type service interface {
	Handler() http.Handler
	Ready(ctx context.Context) error
	Close() error
}

// worker is a service that works without being asked, until ctx ends; Run then
// returns within seconds.
type worker interface{ Run(ctx context.Context) }

func (p *process) flags(command *cobra.Command, addr string) {
	f := command.Flags()
	f.StringVar(&p.addr, "addr", addr, "where to listen")
	f.StringVar(&p.ops, "ops", "", "where to serve /healthz, /readyz and /metrics, in the clear; none if empty")
	f.StringVar(&p.data, "data", ".run/data/"+p.name, "folder of the service's database "+p.name+".db")
	f.StringVar(&p.files.Cert, "cert", "certs/dev/"+p.name+".pem", "the service's certificate")
	f.StringVar(&p.files.Key, "key", "certs/dev/"+p.name+".key", "the certificate's key")
	f.StringVar(&p.files.CA, "ca", "certs/dev/ca.pem", "authorities that sign clients, neighbours and the issuer")
	f.StringVar(&p.issuer, "issuer", "https://localhost:8444", "issuer of the tokens that callers bring")
	f.StringVar(&p.tokenURL, "token-url", "", "where to get tokens to call neighbours with; ISSUER/token if empty")
	f.StringVar(&p.clientID, "client-id", p.name, "who the service is at the token service")
	f.StringVar(&p.secretFile, "client-secret-file", "", "file with the client's secret; read again for each token")
	f.DurationVar(&p.stale, "revocation-stale", 5*time.Minute, "how long the issuer's revocations are believed after it was last heard")
	f.StringVar(&p.then, "revocation-then", token.StaleDeny, "what its tokens get afterwards: deny (503) or allow")
	f.DurationVar(&p.drainDelay, "drain-delay", 0, "how long to accept requests after readiness fails")
	f.DurationVar(&p.drainTimeout, "drain-timeout", 10*time.Second, "how long begun requests may take at the end")
	_ = command.MarkFlagRequired("client-secret-file") // fails only for a flag that does not exist
}

// run serves what build makes until the command's context ends.
func (p *process) run(command *cobra.Command, build func(context.Context, *parts) (service, error)) (err error) {
	ctx := command.Context()
	log := slog.New(slog.NewJSONHandler(command.ErrOrStderr(), nil)).With("service.name", p.name)
	parts, err := p.assemble(log)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	built, err := build(ctx, parts)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer func() { err = errors.Join(err, built.Close()) }()
	defer parts.close()

	events := chassis.NewEventWriter(command.OutOrStdout(), eventBuffer)
	// Events outlive the requests they tell of; Close ends the pump.
	go func() { _ = events.Run(context.WithoutCancel(ctx)) }()
	defer func() { err = errors.Join(err, events.Close()) }()

	// Everything that can be late is fetched now, so that the first guest does
	// not wait for it. None of it is needed to start.
	go parts.warm(ctx)
	go parts.revoked.Run(ctx)
	if worker, ok := built.(worker); ok {
		working, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { defer close(ended); worker.Run(working) }()
		// Before the database is closed: what is under way may end.
		defer func() { stop(); <-ended }()
	}

	metrics := chassis.NewMetrics("hotel", events)
	if err := parts.count(metrics); err != nil {
		return err
	}
	if counted, ok := built.(interface {
		Register(metrics prometheus.Registerer) error
	}); ok {
		if err := counted.Register(metrics); err != nil {
			return err
		}
	}
	return chassis.Run(ctx, chassis.Config{
		Name:         p.name,
		Addr:         p.addr,
		Handler:      chassis.RequestLog(log, events)(built.Handler()),
		TLS:          parts.server.Server(),
		Ops:          p.ops,
		Metrics:      metrics,
		Ready:        built.Ready,
		DrainDelay:   p.drainDelay,
		DrainTimeout: p.drainTimeout,
		Log:          log,
	})
}
