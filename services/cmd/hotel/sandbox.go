package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"portcullis/certs"
	"portcullis/services/chassis"
	"portcullis/services/sandbox"
)

// outside is what the command line says about the sandbox. It is no service of
// the hotel: it has no client, no database, and asks nobody for a certificate.
type outside struct {
	addr, smtp, ops string
	standIns        []*standIn
	files           certs.Files
	drainTimeout    time.Duration
}

func sandboxCommand() *cobra.Command {
	o := &outside{standIns: standIns()}
	command := &cobra.Command{
		Use:   "sandbox",
		Short: "Stand-ins for the world outside: a mail sink with its inbox, partner hotels, a bank",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return o.run(command) },
	}
	f := command.Flags()
	f.StringVar(&o.addr, "addr", "localhost:9107", "where to serve the inbox, over HTTPS and to anybody: keep it on loopback")
	f.StringVar(&o.smtp, "smtp", "localhost:9125", "where to take mail, over SMTP with STARTTLS")
	f.StringVar(&o.ops, "ops", "", "where to serve /healthz, /readyz and /metrics, in the clear; none if empty")
	f.StringVar(&o.files.Cert, "cert", "certs/dev/sandbox.pem", "certificate of the inbox and of SMTP")
	f.StringVar(&o.files.Key, "key", "certs/dev/sandbox.key", "the certificate's key")
	f.DurationVar(&o.drainTimeout, "drain-timeout", 10*time.Second, "how long begun requests may take at the end")
	o.standIns = append(o.standIns, bankStandIn(f))
	for _, in := range o.standIns {
		f.StringVar(&in.addr, in.flag, "", in.says)
	}
	return command
}

// run takes mail and shows it until the command's context ends.
func (o *outside) run(command *cobra.Command) (err error) {
	log := slog.New(slog.NewJSONHandler(command.ErrOrStderr(), nil)).With("service.name", "sandbox")
	identity, err := certs.NewServer(certs.ServerConfig{Files: o.files, Log: log})
	if err != nil {
		return fmt.Errorf("sandbox: --cert, --key: %w", err)
	}
	// The name of the protocol keeps a browser that was lured to this port, and
	// names another, from speaking to it (ALPACA).
	built, err := sandbox.New(sandbox.Config{TLS: identity.Server("smtp"), Log: log})
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	listeners, err := chassis.Listen(o.smtp, "--smtp")
	if err != nil {
		return err
	}

	events := chassis.NewEventWriter(command.OutOrStdout(), eventBuffer)
	go func() { _ = events.Run(context.WithoutCancel(command.Context())) }()
	defer func() { err = errors.Join(err, events.Close()) }()

	// Each part ends the others: a mail sink without an inbox is of no use.
	all := newTogether(command.Context())
	defer func() { err = errors.Join(err, all.end()) }()
	all.start(func(ctx context.Context) error { return built.Serve(ctx, listeners...) })
	for _, in := range o.standIns {
		in.start(all, o.drainTimeout, identity.Server(), log, events)
	}
	log.Info("taking mail", "addr", o.smtp, "listening", listeners[0].Addr().String())
	return chassis.Run(all.ctx, chassis.Config{
		Name:         "sandbox",
		Addr:         o.addr,
		Handler:      chassis.RequestLog(log, events)(built.Handler()),
		TLS:          identity.Server(),
		Ops:          o.ops,
		Metrics:      chassis.NewMetrics("hotel", events),
		DrainTimeout: o.drainTimeout,
		Log:          log,
	})
}
