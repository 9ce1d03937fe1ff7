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
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/control"
	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/framing"
	"portcullis/gateway/internal/hits"
	"portcullis/gateway/internal/listen"
	"portcullis/gateway/internal/ops"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/recent"
	"portcullis/gateway/internal/reload"
	"portcullis/gateway/internal/trial"
	"portcullis/policies/policy"
	"portcullis/services/chassis"
)

// eventBuffer is how many bytes of events wait for a slow reader before events
// are dropped: about two thousand requests.
const eventBuffer = 1 << 20

// serving is what the flags of serve say.
type serving struct {
	addr, http               string
	ops, policies            string
	certs, keys              []string
	drainDelay, drainTimeout time.Duration
	bounds                   bounds
	control, skipTests       string
	securityEvents           string
	recent                   int
	readAhead                bool
	identity
}

func serveCommand(stdout, stderr io.Writer) *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the policies of a folder",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(s.certs) != len(s.keys) {
				return fmt.Errorf("--cert is given %d times and --key %d times: they go in pairs", len(s.certs), len(s.keys))
			}
			s.identity.cert, s.identity.key = s.certs[0], s.keys[0]
			if cmd.Flags().Changed("skip-tests") {
				if err := control.CheckReason(s.skipTests); err != nil {
					return fmt.Errorf("--skip-tests: %w", err)
				}
			}
			return s.run(cmd.Context(), stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.addr, "addr", "localhost:8443", "public address")
	f.StringVar(&s.http, "http", "", "address of plain HTTP, which is answered only with redirects to https; default: none")
	f.StringVar(&s.ops, "ops", "localhost:9901", "private address of /healthz /readyz /metrics /status")
	f.StringVar(&s.policies, "policies", "policies", "folder of policy files")
	f.StringArrayVar(&s.certs, "cert", nil, "certificate shown to clients, and to upstreams that ask for one (PEM); again, with a --key each, for other names: the first is shown to whoever asks for none of them")
	f.StringArrayVar(&s.keys, "key", nil, "key of the certificate (PEM)")
	f.StringVar(&s.ca, "ca", "", "authorities trusted for upstreams and the token service (PEM); default: the system's")
	f.StringVar(&s.tokenURL, "token-url", "", "token endpoint for the gateway's own credentials")
	f.StringVar(&s.clientID, "client-id", "", "the gateway's client id at the token service")
	f.StringVar(&s.secretFile, "client-secret-file", "", "file that holds the client's secret; read again for each token")
	f.StringVar(&s.keyFile, "client-key", "", "file that holds the client's private key (PKCS #8, PEM), in place of a secret; read at the start")
	f.DurationVar(&s.drainDelay, "drain-delay", time.Second, "how long to go on accepting after readiness fails")
	f.DurationVar(&s.drainTimeout, "drain-timeout", 15*time.Second, "how long requests under way may take at the end")
	f.StringVar(&s.control, "control", "", "socket of gateway reload, explain, decisions and waf hits, for this user only; default: none")
	f.StringVar(&s.securityEvents, "security-events", "", "file that security events are appended to, one line of JSON for each WAF profile that found something in a request; default: among the other events, on the standard output")
	f.IntVar(&s.recent, "recent", 4096, "how many requests are remembered for gateway explain, at most 4 KiB each; 0 for none")
	f.StringVar(&s.skipTests, "skip-tests", "", "start without running the policies' own tests, for this reason: for emergencies, and seen in /status")
	f.BoolVar(&s.readAhead, "read-ahead", false, "notice clients that leave by reading ahead for each request, as net/http does by itself; costs more than to look after those that wait, the default")
	s.bounds.flags(f)
	for _, name := range []string{"cert", "key"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	return cmd
}

// run serves until a signal or ctx ends it.
func (s serving) run(ctx context.Context, stdout, stderr io.Writer) error {
	ctx, stop := chassis.Signals(ctx)
	defer stop()
	// From the first moment to the last: a hang-up nobody waits for ends the
	// process, in the middle of a start or of a drain.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	slog.SetDefault(log) // net/http's transport speaks through the standard logger
	started := time.Now()
	collectLazily(log)

	events := chassis.NewEventWriter(stdout, eventBuffer)
	registry := chassis.NewMetrics("portcullis", events)
	compiler, meters, err := newCompiler(s.identity, registry, log)
	if err != nil {
		return err
	}
	current := &pipeline.Current{}
	reloader, err := reload.New(reload.Config{
		Files: os.DirFS(s.policies), Fingerprint: func() [32]byte { return chassis.Fingerprint(s.policies) }, Env: os.LookupEnv,
		Compiler: compiler, Current: current, Try: trial.Try, Retire: compiler.Retire, Metrics: registry, Log: log,
	})
	if err != nil {
		return err
	}
	for _, c := range []prometheus.Collector{compile.NewCollector(current), compile.NewExemptionCollector(current)} {
		if err := registry.Register(c); err != nil {
			return err
		}
	}
	before := chassis.Fingerprint(s.policies)
	if err := s.load(reloader); err != nil {
		if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
			show(stderr, mistakes, s.policies)
		}
		return fmt.Errorf("the policies in %q cannot be served; nothing was started", s.policies)
	}
	acceptor, err := s.acceptor(current, registry, log)
	if err != nil {
		return err
	}
	// Events outlive the requests they tell of; Close writes what is left, and
	// what it cannot is counted.
	go func() { _ = events.Run(context.WithoutCancel(ctx)) }()
	defer func() { _ = events.Close() }()
	ring, observe, err := s.remember(current)
	if err != nil {
		return err
	}
	top, err := hits.New(hits.Config{})
	if err != nil {
		return err
	}
	alerts, closeAlerts, err := s.alerts(ctx, events, registry)
	if err != nil {
		return err
	}
	defer closeAlerts()
	handler, err := edge.New(edge.Config{Current: current, Events: events, Alerts: alerts, Unmatched: meters.Route("none"), Log: log, Observe: also(observe, top), BodyRate: s.bounds.bodyRate, Streams: s.bounds.streams})
	if err != nil {
		return err
	}
	closeControl, err := s.listen(control.Config{Path: s.control, Reloader: reloader, Policies: s.policies, Recent: ring, Hits: top, Log: log})
	if err != nil {
		return err
	}
	defer closeControl()
	upgrader, err := edge.NewUpgrader(current, registry)
	if err != nil {
		return err
	}
	go s.watch(ctx, before, hangup, reloader, log)
	return chassis.Run(ctx, chassis.Config{
		Name: "gateway", Addr: s.addr, Handler: handler, Accept: acceptor.Listen,
		Plain: s.http, PlainHandler: upgrader,
		Ops: s.ops, Metrics: registry, OpsHandler: status(current, reloader, acceptor, started),
		Ready: func(context.Context) error {
			if current.Load() == nil {
				return errors.New("no policy is loaded")
			}
			return nil
		},
		DrainDelay: s.drainDelay, DrainTimeout: s.drainTimeout, Log: log, Limits: s.bounds.limits(),
		// Or net/http would answer "OPTIONS *" itself, past hosts, events and
		// request ids.
		Tune: func(server *http.Server) {
			server.DisableGeneralOptionsHandler = true
			server.ConnState = acceptor.ConnState
			if !s.readAhead {
				server.ConnContext = framing.Watch
			}
		},
	})
}

// load brings the first policy into force.
func (s serving) load(r *reload.Reloader) error {
	if s.skipTests != "" {
		return r.LoadUntested("start", s.skipTests)
	}
	return r.Load("start")
}

// remember is what is told of each request that has ended; both are nil when
// none is to be remembered.
func (s serving) remember(current *pipeline.Current) (*recent.Ring, func(*pipeline.Transaction, pipeline.Decision, int), error) {
	if s.recent == 0 {
		return nil, nil, nil
	}
	ring, err := recent.New(recent.Config{Size: s.recent, Current: current})
	if err != nil {
		return nil, nil, fmt.Errorf("--recent: %w", err)
	}
	return ring, ring.Observe, nil
}

// also counts what the WAF found, beside what observe does, which may be nil.
func also(observe func(*pipeline.Transaction, pipeline.Decision, int), top *hits.Table) func(*pipeline.Transaction, pipeline.Decision, int) {
	return func(tx *pipeline.Transaction, d pipeline.Decision, status int) {
		if observe != nil {
			observe(tx, d, status)
		}
		top.Observe(tx)
	}
}

// listen opens the control socket, if there is to be one, and returns what ends it.
func (s serving) listen(c control.Config) (func(), error) {
	if s.control == "" {
		return func() {}, nil
	}
	socket, err := control.Open(c)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := socket.Serve(); err != nil {
			c.Log.Error("the control socket is gone", "error", err)
		}
	}()
	// What is left behind all the same, the next process replaces.
	return func() { _ = socket.Close() }, nil
}

// watch reloads on SIGHUP and when the files change.
func (s serving) watch(ctx context.Context, before [32]byte, hangup <-chan os.Signal, r *reload.Reloader, log *slog.Logger) {
	chassis.Watch{Dir: s.policies, Since: before, Now: hangup, Log: log, Changed: func(reason string) {
		// The reloader has logged, counted and kept what went wrong.
		_ = r.Load(reason)
	}}.Run(ctx)
}

// status is the read-only page of the ops port.
func status(current *pipeline.Current, r *reload.Reloader, a *listen.Acceptor, started time.Time) http.Handler {
	return ops.New(ops.Config{
		Current: current, Started: started,
		Upstreams: func() any { return compile.Upstreams(current.Load()) },
		Issuers:   func() any { return compile.Issuers(current.Load()) },
		Reload:    func() any { return r.Status() },
		TLS:       func() any { return a.Status() },
	})
}
