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

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
)

// ErrRefused is the one answer to an unknown client, a wrong secret and a
// disabled client: telling them apart would tell which names exist.
var ErrRefused = errors.New("client authentication failed")

// Accounts finds what is kept outside the policy files. One that is not known
// has an empty account.
type Accounts interface {
	Account(ctx context.Context, client string) (store.Account, error)
}

// Config is what a registry is made of.
type Config struct {
	// Policies is the policy folder; clients may stand in any file of it.
	Policies fs.FS
	// Env answers variables named in policy files; nil knows none.
	Env      func(string) (string, bool)
	Accounts Accounts
	// Metrics registers the registry's own; nil for none.
	Metrics prometheus.Registerer
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
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
	if cfg.Policies == nil || cfg.Accounts == nil {
		return nil, errors.New("a client registry needs the policy folder and the accounts")
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
	r.current.Store(grants)
	r.fresh.Set(1)
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
	r.current.Store(grants)
	r.fresh.Set(1)
	r.reloads.WithLabelValues("loaded").Inc()
	r.cfg.Log.Info("clients loaded", "version", grants.Version, "clients", len(grants.clients))
	return nil
}

// Version is that of the policy in force.
func (r *Registry) Version() string { return r.current.Load().Version }

// Authenticate returns the client with this name and secret and what it may
// ask for. The error is ErrRefused, or a fault of ours. Every refusal takes the
// same path: both digests are looked up and compared whether or not the name
// exists.
func (r *Registry) Authenticate(ctx context.Context, name, secret string) (issue.Client, error) {
	client, known := r.current.Load().Client(name)
	account, err := r.cfg.Accounts.Account(ctx, name)
	if err != nil {
		return issue.Client{}, err
	}
	right := matches(account.Digests, secret)
	if !right || !known || account.Disabled {
		return issue.Client{}, ErrRefused
	}
	return client, nil
}
