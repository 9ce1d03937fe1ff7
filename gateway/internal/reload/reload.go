// Package reload brings an edited policy into force, or keeps the old one and
// says why. Everything that can fail happens before anything live is touched:
// load, validate, compile, run the policy's own tests; then one pointer is
// swapped.
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
	// Fingerprint, if set, changes with the files: what changes while it is read
	// is read again, so that half an edit is never in force.
	Fingerprint func() [32]byte
	// Env gives the environment that ${env:...} reads.
	Env func(string) (string, bool)
	// Compiler and Current: who makes snapshots, and where they come into force.
	Compiler Compiler
	Current  *pipeline.Current
	// Try, if set, runs the tests of doc against its snapshot before that comes
	// into force; its error holds those that fail.
	Try func(doc *policy.Document, candidate *pipeline.Snapshot) error
	// Retire, if set, lets go of what prev has and next has not. It is also asked
	// to let go of a candidate that was refused; next may be nil.
	Retire  func(prev, next *pipeline.Snapshot)
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Reloader loads policies. Its methods may be called from any goroutine.
type Reloader struct {
	files    fs.FS
	print    func() [32]byte
	env      func(string) (string, bool)
	compiler Compiler
	current  *pipeline.Current
	try      func(doc *policy.Document, candidate *pipeline.Snapshot) error
	retire   func(prev, next *pipeline.Snapshot)
	log      *slog.Logger
	success  prometheus.Gauge
	when     prometheus.Gauge
	untested prometheus.Gauge
	total    *prometheus.CounterVec

	loading sync.Mutex // held through a load: one comes after the other

	mu     sync.Mutex // never held for long: tests may take seconds, and /status is read meanwhile
	status Status
}

// New returns a reloader that has loaded nothing yet.
func New(c Config) (*Reloader, error) {
	if c.Files == nil || c.Env == nil || c.Compiler == nil || c.Current == nil || c.Metrics == nil || c.Log == nil {
		return nil, errors.New("reload: files, env, compiler, current, metrics and log are all required")
	}
	r := &Reloader{
		files: c.Files, print: c.Fingerprint, env: c.Env, compiler: c.Compiler, current: c.Current, try: c.Try, retire: c.Retire, log: c.Log,
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portcullis_policy_reload_success", Help: "1 when the last reload succeeded, 0 when it failed and the policy before it stays in force.",
		}),
		when: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portcullis_policy_loaded_timestamp_seconds", Help: "When the policy in force was loaded.",
		}),
		untested: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "portcullis_policy_tests_skipped", Help: "1 while a policy is in force whose tests were skipped on purpose, else 0.",
		}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portcullis_policy_reloads_total", Help: "Reloads tried, by result.",
		}, []string{"result"}),
	}
	if r.print == nil {
		r.print = func() (same [32]byte) { return same }
	}
	for _, m := range []prometheus.Collector{r.success, r.when, r.untested, r.total} {
		if err := c.Metrics.Register(m); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Load brings the files into force as they stand now, if the policy's own tests
// pass. On an error the snapshot before it stays; the error holds every mistake,
// with its place. reason is start, files changed, signal or control.
func (r *Reloader) Load(reason string) error { return r.load(reason, "") }

// LoadUntested does so without the tests, for emergencies. skip says why; it is
// logged, and shown for as long as the policy is in force.
func (r *Reloader) LoadUntested(reason, skip string) error {
	if skip == "" {
		return errors.New("tests are skipped for a reason, and none is given")
	}
	return r.load(reason, skip)
}

func (r *Reloader) load(reason, skip string) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	now, before := time.Now(), r.Status()
	next, err := r.build(before, skip)
	if err != nil {
		r.success.Set(0)
		r.total.WithLabelValues("failure").Inc()
		r.update(func(s *Status) { s.Tried, s.Error = now, err.Error() })
		r.report(reason, err)
		return err
	}
	r.success.Set(1)
	r.total.WithLabelValues("success").Inc()
	r.untested.Set(0)
	if next.tests.Skipped != "" {
		r.untested.Set(1)
		r.log.Warn("the policy's tests were skipped", "reason", reason, "version", next.snapshot.Version, "why", next.tests.Skipped)
	}
	prev := r.current.Load()
	if next.snapshot.Same(prev) {
		r.letGo(next.snapshot, prev)
		r.update(func(s *Status) { s.Tried, s.Error, s.Tests = now, "", next.tests })
		r.log.Info("policy unchanged", "reason", reason, "version", prev.Version)
		return nil
	}
	r.current.Store(next.snapshot)
	r.letGo(prev, next.snapshot)
	r.update(func(s *Status) {
		*s = Status{Version: next.snapshot.Version, Since: now, Why: reason, Tests: next.tests, Tried: now}
	})
	r.when.Set(float64(now.Unix()))
	r.log.Info("policy in force", "reason", reason, "version", next.snapshot.Version, "routes", len(next.snapshot.Routes), "waf_rules", next.snapshot.WAFRules,
		"tests", next.tests.Run, "took", time.Since(now).String())
	return nil
}

// candidate is a snapshot that may come into force.
type candidate struct {
	snapshot *pipeline.Snapshot
	tests    Tests
}

// build makes a snapshot of the files and tries it. A panic is an error like any
// other: loads run beside the requests, and a mistake of ours in one must not
// end them.
func (r *Reloader) build(before Status, skip string) (c candidate, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.log.Error("loading the policy panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("loading the policy panicked: %v", cause)
		}
		if err != nil && c.snapshot != nil {
			r.letGo(c.snapshot, r.current.Load())
		}
	}()
	doc, err := r.read()
	if err != nil {
		return c, err
	}
	if c.snapshot, err = r.compiler.Compile(doc, r.current.Load()); err != nil {
		return candidate{}, err
	}
	known := before.Version == c.snapshot.Version && before.Tests.version == doc.TestVersion
	if known && (before.Tests.Skipped == "" || skip != "") {
		c.tests = before.Tests // it is in force already, as well proved as it is asked for
		return c, nil
	}
	c.tests.version = doc.TestVersion
	if skip != "" || r.try == nil {
		c.tests.Skipped = skip
		return c, nil
	}
	began := time.Now()
	if err := r.try(doc, c.snapshot); err != nil {
		return c, err
	}
	c.tests.Run, c.tests.Took = len(doc.Tests), time.Since(began).Round(time.Millisecond).String()
	return c, nil
}

// readings is how often files are read that change meanwhile.
const readings = 3

// read loads and validates files that have kept still.
func (r *Reloader) read() (doc *policy.Document, err error) {
	for range readings {
		before := r.print()
		if doc, err = policy.Check(r.files, r.env); r.print() == before {
			return doc, err
		}
	}
	return nil, errors.New("the policy files change while they are read; they are read again once they have kept still")
}

// letGo closes what from has and keep has not.
func (r *Reloader) letGo(from, keep *pipeline.Snapshot) {
	if r.retire != nil {
		r.retire(from, keep)
	}
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
		told := []any{"reason", reason, "code", m.Code, "place", m.Place(), "error", m.What}
		if m.Why != "" {
			told = append(told, "why", m.Why)
		}
		if hint := strings.TrimSpace(m.Hint); hint != "" {
			told = append(told, "hint", hint)
		}
		r.log.Error(text, told...)
	}
}
