// Package clients knows the clients of the token service: what the policy
// files grant them, reloaded while the service runs, and whether a secret is
// theirs. It issues nothing.
package clients

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
)

// Store keeps what may not stand in the policy files.
type Store interface {
	// Credentials are a client's; one that is not known has none.
	Credentials(ctx context.Context, client string) (store.Credentials, error)
	// UseAssertion reports whether this is the first time that the client's
	// assertion is used; of several at once exactly one is the first.
	UseAssertion(ctx context.Context, client, id string, expires time.Time) (first bool, err error)
}

// Config is what a registry is made of.
type Config struct {
	// Policies is the policy folder; clients may stand in any file of it.
	Policies fs.FS
	// Env answers variables named in policy files; nil knows none.
	Env   func(string) (string, bool)
	Store Store
	// Issuer is our URL, the audience of every assertion.
	Issuer string
	// Changed, if set, is told of every version of the policy that comes into
	// force, the first included.
	Changed func(*Grants)
	// Metrics registers the registry's own; nil for none.
	Metrics prometheus.Registerer
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Registry authenticates clients. It is safe for concurrent use.
type Registry struct {
	cfg     Config
	current atomic.Pointer[Grants]
	fresh   prometheus.Gauge
	reloads *prometheus.CounterVec
}

// New loads the policy files and fails when they cannot be used: a token
// service that does not know who may ask for what must not start.
func New(cfg Config) (*Registry, error) {
	if cfg.Policies == nil || cfg.Store == nil {
		return nil, errors.New("a client registry needs the policy folder and a store")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		cfg: cfg,
		fresh: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "authserver_policy_fresh",
			Help: "1 while the policy in force is what the files say, 0 after a reload that failed.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authserver_policy_reloads_total",
			Help: "Reloads of the policy files, by result: loaded, refused.",
		}, []string{"result"}),
	}
	if cfg.Metrics != nil {
		if err := errors.Join(cfg.Metrics.Register(r.fresh), cfg.Metrics.Register(r.reloads)); err != nil {
			return nil, fmt.Errorf("register the metrics of the client registry: %w", err)
		}
	}
	grants, err := Load(cfg.Policies, cfg.Env)
	if err != nil {
		return nil, err
	}
	r.use(grants)
	return r, nil
}

// Reload reads the policy files again. When they cannot be used the grants in
// force stay, and the error says every mistake with its place.
func (r *Registry) Reload() error {
	grants, err := Load(r.cfg.Policies, r.cfg.Env)
	if err != nil {
		r.fresh.Set(0)
		r.reloads.WithLabelValues("refused").Inc()
		r.cfg.Log.Error("the policy files cannot be used; the clients in force stay",
			"version", r.current.Load().Version, "error", err)
		return err
	}
	r.use(grants)
	r.reloads.WithLabelValues("loaded").Inc()
	r.cfg.Log.Info("clients loaded", "version", grants.Version, "clients", len(grants.clients))
	return nil
}

func (r *Registry) use(g *Grants) {
	r.current.Store(g)
	r.fresh.Set(1)
	if r.cfg.Changed != nil {
		r.cfg.Changed(g)
	}
}

// Version is that of the policy in force.
func (r *Registry) Version() string { return r.current.Load().Version }

// Client finds a client that need not prove itself: one whose user is to be
// sent back to it. A disabled one is not found.
func (r *Registry) Client(ctx context.Context, name string) (issue.Client, bool, error) {
	client, known := r.current.Load().Client(name)
	if !known {
		return client, false, nil
	}
	kept, err := r.cfg.Store.Credentials(ctx, name)
	return client, err == nil && !kept.Disabled, err
}
