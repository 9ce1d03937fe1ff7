package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/keyring"
	"portcullis/certs"
	"portcullis/services/chassis"
)

// eventBytes is how many bytes of events wait for a slow reader before some
// are dropped: some seconds of the fastest traffic.
const eventBytes = 512 << 10

// gcPercent lets the heap grow to five times what is in use, some tens of MB:
// little is in use here, so that the usual doubling would collect after every two
// hundred tokens and cost an eighth of all.
const gcPercent = 400

// service is what the flags of serve say.
type service struct {
	addr, ops, issuer string
	policies, data    string
	cert, key         string
	rate              int
	drainDelay        time.Duration
	vault             vault
	terms             *keyring.Terms
	algorithm         string
	mail              mailFlags
}

func serve() *cobra.Command {
	var s service
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Issue tokens, and sign people in",
		Long: `Serves the OAuth endpoints and the pages for people over HTTPS until it is
interrupted.

The clients stand in the policy folder and are reloaded when its files change
or on SIGHUP. The first start makes the signing keys; authserver keys shows them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := chassis.Signals(cmd.Context())
			defer stop()
			return s.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.addr, "addr", "localhost:8444", "where to listen")
	f.StringVar(&s.ops, "ops", "", "where to serve /healthz, /readyz and /metrics in the clear, for this machine only")
	f.StringVar(&s.issuer, "issuer", "https://localhost:8444", "our URL, exactly as tokens name it")
	policiesFlag(f, &s.policies)
	dataFlag(f, &s.data)
	f.StringVar(&s.cert, "cert", "", "our certificate, a PEM file")
	f.StringVar(&s.key, "key", "", "the certificate's key, a PEM file")
	f.IntVar(&s.rate, "rate", 0, "requests of one client from one address in ten seconds (default 100)")
	f.DurationVar(&s.drainDelay, "drain-delay", 0, "how long to go on serving once readiness fails")
	s.vault.flags(f)
	s.terms = keyTerms(f)
	f.StringVar(&s.algorithm, "algorithm", "", "what new keys sign with, ES256 or RS256 (default: as before, at first ES256); it takes over once published")
	s.mail.flags(f)
	for _, name := range []string{"cert", "key"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	return cmd
}

// run serves until ctx ends.
func (s service) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if err := keyring.Undumpable(); err != nil {
		return fmt.Errorf("keep others from reading our memory: %w", err)
	}
	// From the first moment to the last: a hang-up nobody waits for ends the
	// process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if os.Getenv("GOGC") == "" { // the operator knows better
		debug.SetGCPercent(gcPercent)
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil)).With("service.name", "authserver")
	events := chassis.NewEventWriter(stdout, eventBytes)
	metrics := chassis.NewMetrics("authserver", events)
	tls, err := certs.NewServer(certs.ServerConfig{Files: certs.Files{Cert: s.cert, Key: s.key}, Log: log})
	if err != nil {
		return err
	}
	before := chassis.Fingerprint(s.policies)
	parts, err := s.assemble(ctx, surroundings{events, metrics, log})
	if err != nil {
		return errors.Join(err, parts.close())
	}
	defer func() { err = errors.Join(err, parts.close()) }()

	// What runs beside the server outlives its last request.
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		if err := events.Run(beside); err != nil {
			log.Warn("events were lost", "error", err)
		}
	})
	running.Go(func() { s.watch(beside, before, hangup, parts, log) })
	for _, run := range []func(context.Context){parts.ring.Run, parts.feed.Run, parts.purge} {
		running.Go(func() { run(beside) })
	}
	if parts.accounts != nil {
		running.Go(func() { parts.accounts.Run(beside) })
	}

	return chassis.Run(ctx, chassis.Config{
		Name:       "authserver",
		Addr:       s.addr,
		Handler:    strangers(chassis.RequestLog(log, events)(parts.handler)),
		TLS:        tls.Server(),
		Ops:        s.ops,
		Metrics:    metrics,
		Ready:      parts.ready,
		DrainDelay: s.drainDelay,
		Log:        log,
	})
}

// strangers removes the request id that a client chose: no gateway stands before
// us that would have checked it, and it goes into every log.
func strangers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("X-Request-Id")
		next.ServeHTTP(w, r)
	})
}

// watch reloads the clients when the policy files change, or on SIGHUP.
func (s service) watch(ctx context.Context, before [32]byte, hangup <-chan os.Signal, parts *parts, log *slog.Logger) {
	chassis.Watch{Dir: s.policies, Since: before, Now: hangup, Log: log, Changed: func(string) {
		_ = parts.registry.Reload() // it keeps the old grants, logs and counts
	}}.Run(ctx)
}
