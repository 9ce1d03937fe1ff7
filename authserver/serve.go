package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/internal/store"
	"portcullis/certs"
	"portcullis/services/chassis"
)

// eventBytes is how many bytes of events wait for a slow reader before some
// are dropped: some seconds of the fastest traffic.
const eventBytes = 512 << 10

// service is what the flags of serve say.
type service struct {
	addr, ops, issuer string
	policies, data    string
	cert, key         string
	rate              int
	drainDelay        time.Duration
}

func serve() *cobra.Command {
	var s service
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Issue tokens",
		Long: `Serves /token, /jwks and the metadata over HTTPS until it is interrupted.

The clients stand in the policy folder and are reloaded when its files change
or on SIGHUP. The first start makes a signing key.`,
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
	f.StringVar(&s.policies, "policies", "policies", "the policy folder")
	f.StringVar(&s.data, "data", ".run/data/authserver", "the folder of the database")
	f.StringVar(&s.cert, "cert", "", "our certificate, a PEM file")
	f.StringVar(&s.key, "key", "", "the certificate's key, a PEM file")
	f.IntVar(&s.rate, "rate", 0, "token requests of one client from one address in ten seconds (default 100)")
	f.DurationVar(&s.drainDelay, "drain-delay", 0, "how long to go on serving once readiness fails")
	for _, name := range []string{"cert", "key"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	return cmd
}

// run serves until ctx ends.
func (s service) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	// From the first moment to the last: a hang-up nobody waits for ends the
	// process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	log := slog.New(slog.NewJSONHandler(stderr, nil)).With("service.name", "authserver")
	events := chassis.NewEventWriter(stdout, eventBytes)
	metrics := chassis.NewMetrics("authserver", events)
	tls, err := certs.NewServer(certs.ServerConfig{Files: certs.Files{Cert: s.cert, Key: s.key}, Log: log})
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, s.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	before := chassis.Fingerprint(s.policies)
	registry, err := clients.New(clients.Config{
		Policies: os.DirFS(s.policies), Env: os.LookupEnv, Accounts: db, Metrics: metrics, Log: log,
	})
	if err != nil {
		return err
	}
	handler, err := s.endpoints(db, registry, events, metrics, log)
	if err != nil {
		return err
	}

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
	running.Go(func() { s.watch(beside, before, hangup, registry, log) })

	return chassis.Run(ctx, chassis.Config{
		Name:       "authserver",
		Addr:       s.addr,
		Handler:    strangers(chassis.RequestLog(log, events)(handler)),
		TLS:        tls.Server(),
		Ops:        s.ops,
		Metrics:    metrics,
		Ready:      db.Ready,
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

// endpoints builds what the public listener serves.
func (s service) endpoints(db *store.Store, registry *clients.Registry, events io.Writer, metrics prometheus.Registerer, log *slog.Logger) (http.Handler, error) {
	ring, err := keyring.New(keyring.Config{Storage: db})
	if err != nil {
		return nil, err
	}
	tokens, err := issue.New(issue.Config{Issuer: s.issuer, Ring: ring})
	if err != nil {
		return nil, err
	}
	server, err := oauth.New(oauth.Config{
		Issuer: s.issuer, Clients: registry, Tokens: tokens, Keys: ring, Rate: s.rate,
		Events: events, Metrics: metrics, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return server.Handler(), nil
}

// watch reloads the clients when the policy files change, or on SIGHUP.
func (s service) watch(ctx context.Context, before [32]byte, hangup <-chan os.Signal, registry *clients.Registry, log *slog.Logger) {
	chassis.Watch{Dir: s.policies, Since: before, Now: hangup, Log: log, Changed: func(string) {
		_ = registry.Reload() // it keeps the old grants, logs and counts
	}}.Run(ctx)
}
