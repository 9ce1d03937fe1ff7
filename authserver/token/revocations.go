package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"portcullis/services/problem"
)

// What a verifier does with tokens while it has not heard of revocations for
// too long.
const (
	StaleDeny  = "deny"  // answers issuer_unavailable
	StaleAllow = "allow" // goes on with what it knows
)

const (
	defaultStale = 5 * time.Minute
	// minStale leaves room for a beat that is lost and a new connection.
	minStale = 5 * time.Second
	// forgetEvery is how often revocations that ended are looked for.
	forgetEvery = time.Minute
)

// RevocationsConfig is whose revocations are followed, and what silence means.
type RevocationsConfig struct {
	// URL is where the issuer publishes them.
	URL string
	// Token returns a token for FeedAudience with FeedScope; a Source's.
	Token func(context.Context) (string, error)
	// Refused, if set, is told of a token that the issuer would not take, so
	// that the next one is another; a Source's Forget.
	Refused func(token string)
	// HTTP gives the transport; nil is the system's. Its timeout does not count.
	HTTP *http.Client
	// Stale is how long after the last news the list is still believed;
	// default five minutes, at least five seconds.
	Stale time.Duration
	// Then is what happens afterwards: StaleDeny (default) or StaleAllow.
	Then string
	// Log is told when the issuer is lost and found; nil is silent.
	Log *slog.Logger
	// Now is the clock by which revocations end; nil is time.Now. How fresh
	// they are is told by the time that Verify is given.
	Now func() time.Time
}

// Revocations are the tokens that one issuer has withdrawn. Reading them calls
// nobody: Run follows what the issuer publishes. They are safe for concurrent
// use and may be shared by issuers and verifiers.
type Revocations struct {
	cfg    RevocationsConfig
	client *http.Client // nil: a local set, which is never stale
	view   atomic.Pointer[view]
	first  chan struct{} // closed when the list is complete for the first time
	wait   sync.Once     // begins the one wait for it, which ends at waited
	waited time.Time

	mu      sync.RWMutex
	set     *revoked
	epoch   string // which database numbered them
	seq     int64  // the last one taken in
	heard   time.Time
	polling bool
	lost    bool // and the log was told so
	err     error
	// incomplete: some could not be kept; err says why.
	incomplete bool
	swept      time.Time
}

// view is all that a check has to read as long as nothing changes.
type view struct {
	// generation counts the changes of the set, from 1: who passed under the
	// present one passes again.
	generation uint64
	// until is the nanosecond of Unix time at which the list becomes stale.
	until int64
	// incomplete forbids every token, whatever the policy for stale lists: what
	// could not be kept is not merely late.
	incomplete bool
}

// NewRevocations checks the configuration. It follows nothing: see Run.
func NewRevocations(cfg RevocationsConfig) (*Revocations, error) {
	if err := checkURL(cfg.URL); err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	if cfg.Token == nil {
		return nil, errors.New("revocations: a token to follow them with is needed")
	}
	if cfg.Stale == 0 {
		cfg.Stale = defaultStale
	}
	if cfg.Stale < minStale {
		return nil, fmt.Errorf("revocations: stale after %s is too soon: a healthy issuer may be silent for a moment; use %s or more", cfg.Stale, minStale)
	}
	switch cfg.Then {
	case "":
		cfg.Then = StaleDeny
	case StaleDeny, StaleAllow:
	default:
		return nil, fmt.Errorf("revocations: %q is no answer to a stale list: use deny or allow", cfg.Then)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := newRevocations(cfg)
	transport := http.DefaultTransport
	if cfg.HTTP != nil && cfg.HTTP.Transport != nil {
		transport = cfg.HTTP.Transport
	}
	r.client = &http.Client{
		Transport: transport,
		// A redirect would carry the token to whoever is named there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r, nil
}

// NewLocalRevocations returns a set that is always fresh and holds what Add
// puts in: for the token service, which makes them.
func NewLocalRevocations() *Revocations {
	r := newRevocations(RevocationsConfig{})
	r.view.Store(&view{generation: 1, until: math.MaxInt64})
	close(r.first)
	return r
}

func newRevocations(cfg RevocationsConfig) *Revocations {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Revocations{cfg: cfg, first: make(chan struct{}), set: newRevoked()}
	r.view.Store(&view{generation: 1})
	return r
}

// Add takes revocations in; the very next Verify heeds them. One that cannot be
// obeyed, such as one of an unknown kind or one too many, ends all trust: no
// token passes any more, and Status says why.
func (r *Revocations) Add(entries ...Revocation) {
	r.mu.Lock()
	for _, v := range entries {
		_ = r.put(v) // Status has it
	}
	r.mu.Unlock()
	r.forget()
}

// put adds a revocation to the set in use; r.mu is held.
func (r *Revocations) put(v Revocation) error {
	err := v.Check()
	if err == nil {
		err = r.set.add(v, r.cfg.Now().Unix())
	}
	if err != nil {
		r.incomplete, r.err = true, err
	}
	r.seq = max(r.seq, v.Seq)
	r.publish(1)
	return err
}

// publish shows readers that the set has changed (or, with 0 changes, only how
// fresh it is); r.mu is held. A generation is shown after the set that it
// counts, so that who passes under it has seen the set.
func (r *Revocations) publish(changes uint64) {
	old := r.view.Load()
	next := &view{generation: old.generation + changes, incomplete: r.incomplete, until: math.MaxInt64}
	if r.client != nil {
		next.until = 0
		if !r.heard.IsZero() {
			next.until = r.heard.Add(r.cfg.Stale).UnixNano()
		}
	}
	r.view.Store(next)
}

// Revoked reports whether any revocation known here concerns p, however stale the
// list is.
func (r *Revocations) Revoked(p *Principal) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.set.holds(p)
}

// pass decides whether a verified token goes on. passed is the generation under
// which it passed last: when nothing has changed since, one look at the view is
// all.
func (r *Revocations) pass(ctx context.Context, p *Principal, passed *atomic.Uint64, now time.Time) error {
	v := r.view.Load()
	if v.until == 0 {
		r.await(ctx)
		v = r.view.Load()
	}
	if v.incomplete || v.until <= now.UnixNano() && r.cfg.Then != StaleAllow {
		return r.unknown()
	}
	if passed.Load() == v.generation {
		return nil
	}
	if r.Revoked(p) {
		return errRevoked
	}
	passed.Store(v.generation)
	return nil
}

// await gives the first list a moment to come: two seconds in all, not for each
// caller, or a lost issuer would make every request slow.
func (r *Revocations) await(ctx context.Context) {
	r.wait.Do(func() { r.waited = time.Now().Add(patience) })
	timer := time.NewTimer(time.Until(r.waited))
	defer timer.Stop()
	select {
	case <-r.first:
	case <-ctx.Done():
	case <-timer.C:
	}
}

// unknown is the answer where it cannot be told whether a token was revoked.
// Not knowing is not "no": the token may be good.
func (r *Revocations) unknown() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	cause := errors.New("the list of revoked tokens has not come yet")
	switch {
	case r.incomplete:
		cause = errors.New("the list of revoked tokens is incomplete")
	case !r.heard.IsZero():
		cause = fmt.Errorf("the list of revoked tokens is of %s, too old to be believed", r.heard.UTC().Format(time.RFC3339))
	}
	if r.err != nil {
		cause = fmt.Errorf("%w: %w", cause, r.err)
	}
	return problem.New(problem.IssuerUnavailable, "").Because(cause).With("Retry-After", seconds(maxReconnect))
}

// RevocationStatus is how a list of revocations stands.
type RevocationStatus struct {
	// Entries are the revocations kept.
	Entries int
	// Seq is the number of the last one, in the numbering of Epoch.
	Seq   int64
	Epoch string
	// Heard is when the issuer was last heard; zero: never, or a local set.
	Heard time.Time
	// Stale: the list is missing, incomplete or too old, and the policy for
	// stale lists decides.
	Stale bool
	// Incomplete: a revocation could not be kept; no token passes, whatever
	// the policy for stale lists.
	Incomplete bool
	// Polling: the stream cannot be had, and the whole list is read instead.
	Polling bool
	// Err is why the issuer is not heard now, or nil.
	Err error
}

// Status tells how the list stands, for readiness and metrics.
func (r *Revocations) Status() RevocationStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v := r.view.Load()
	return RevocationStatus{
		Entries: r.set.len(), Seq: r.seq, Epoch: r.epoch, Heard: r.heard, Incomplete: r.incomplete, Polling: r.polling, Err: r.err,
		Stale: v.incomplete || v.until <= r.cfg.Now().UnixNano(),
	}
}

// forget drops, now and then, what no living token could be concerned by.
// Looking for it keeps no reader waiting; dropping does, a batch at a time.
func (r *Revocations) forget() {
	now := r.cfg.Now()
	r.mu.Lock()
	if now.Sub(r.swept) < forgetEvery {
		r.mu.Unlock()
		return
	}
	r.swept = now
	set := r.set
	r.mu.Unlock()

	type batch struct {
		m      map[string]cut
		values []string
	}
	var batches []batch
	r.mu.RLock()
	for m, values := range set.ended(now.Unix()) {
		batches = append(batches, batch{m, values})
	}
	r.mu.RUnlock()
	for _, b := range batches {
		r.mu.Lock()
		for _, value := range b.values {
			if b.m[value].until <= now.Unix() { // it may have been revoked anew meanwhile
				delete(b.m, value)
			}
		}
		r.mu.Unlock()
	}
}
