// Package reload brings an edited policy into force, or keeps the old one and
// says why. Everything that can fail happens before anything live is touched:
// load, validate, compile; then one pointer is swapped.
package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// Compiler makes a snapshot of a document; prev is the snapshot in force, whose
// counters, breakers and keys live on.
type Compiler interface {
	Compile(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error)
}

// Config is what a Reloader needs.
type Config struct {
	// Files is the policy folder.
	Files fs.FS
	// Env gives the environment that ${env:...} reads.
	Env func(string) (string, bool)
	// Compiler and Current: who makes snapshots, and where they come into force.
	Compiler Compiler
	Current  *pipeline.Current
	// Retire, if set, lets go of what only the snapshot before had.
	Retire  func(prev, next *pipeline.Snapshot)
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Reloader loads policies. Its methods may be called from any goroutine.
type Reloader struct {
	files    fs.FS
	env      func(string) (string, bool)
	compiler Compiler
	current  *pipeline.Current
	retire   func(prev, next *pipeline.Snapshot)
	log      *slog.Logger
	success  prometheus.Gauge
	when     prometheus.Gauge
	total    *prometheus.CounterVec

	mu     sync.Mutex
	status Status
}

// Status is how the last reload went, as /status shows it.
type Status struct {
	// Version in force, and since when.
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	// Tried is when the last reload was tried, Error why it failed; empty when
	// it did not.
	Tried time.Time `json:"tried"`
	Error string    `json:"error,omitempty"`
}

// New returns a reloader that has loaded nothing yet.
func New(c Config) (*Reloader, error) {
	if c.Files == nil || c.Env == nil || c.Compiler == nil || c.Current == nil || c.Metrics == nil || c.Log == nil {
		return nil, errors.New("reload: files, env, compiler, current, metrics and log are all required")
	}
	r := &Reloader{
		files: c.Files, env: c.Env, compiler: c.Compiler, current: c.Current, retire: c.Retire, log: c.Log,
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portcullis_policy_reload_success", Help: "1 when the last reload succeeded, 0 when it failed and the policy before it stays in force.",
		}),
		when: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portcullis_policy_loaded_timestamp_seconds", Help: "When the policy in force was loaded.",
		}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portcullis_policy_reloads_total", Help: "Reloads tried, by result.",
		}, []string{"result"}),
	}
	for _, m := range []prometheus.Collector{r.success, r.when, r.total} {
		if err := c.Metrics.Register(m); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Load brings the files into force as they stand now. On an error the snapshot
// before it stays; the error holds every mistake, with its place.
func (r *Reloader) Load(reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.status.Tried = now
	snapshot, err := r.build()
	if err != nil {
		r.status.Error = err.Error()
		r.success.Set(0)
		r.total.WithLabelValues("failure").Inc()
		r.report(reason, err)
		return err
	}
	r.success.Set(1)
	r.total.WithLabelValues("success").Inc()
	r.status.Error = ""
	prev := r.current.Load()
	if prev != nil && prev.Version == snapshot.Version {
		r.log.Info("policy unchanged", "reason", reason, "version", snapshot.Version)
		return nil
	}
	r.current.Store(snapshot)
	if r.retire != nil {
		r.retire(prev, snapshot)
	}
	r.status.Version, r.status.Since = snapshot.Version, now
	r.when.Set(float64(now.Unix()))
	r.log.Info("policy in force", "reason", reason, "version", snapshot.Version, "routes", len(snapshot.Routes), "waf_rules", snapshot.WAFRules)
	return nil
}

// build makes a snapshot of the files. A panic is an error like any other:
// loads run beside the requests, and a mistake of ours in one must not end them.
func (r *Reloader) build() (_ *pipeline.Snapshot, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.log.Error("loading the policy panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("loading the policy panicked: %v", cause)
		}
	}()
	doc, err := policy.Check(r.files, r.env)
	if err != nil {
		return nil, err
	}
	return r.compiler.Compile(doc, r.current.Load())
}

// report logs each mistake on a line of its own, with its place.
func (r *Reloader) report(reason string, err error) {
	text := "policy refused; the one before it stays in force"
	if r.current.Load() == nil {
		text = "policy refused; none is in force"
	}
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if !ok {
		r.log.Error(text, "reason", reason, "error", err.Error())
		return
	}
	for _, m := range mistakes {
		r.log.Error(text, "reason", reason, "code", m.Code, "place", m.Place(), "error", m.What, "why", m.Why, "hint", strings.TrimSpace(m.Hint))
	}
}

// Status tells how the last reload went.
func (r *Reloader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}
