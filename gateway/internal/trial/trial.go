// Package trial sends described requests through the whole gateway without a
// network: the edge, every stage and the forward are the ones that serve, and
// tokens are really signed and really verified. Only what lies outside is
// played: issuers' keys, upstreams, credentials, secrets and the clock. What a trial
// says of a request is therefore what the gateway would do with it.
package trial

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Config is what a Trial is made of.
type Config struct {
	// Document is the policy; it must have passed policy.Validate.
	Document *policy.Document
	// From, if set, is a snapshot whose WAF rule sets are used where the
	// profiles are the same: loading them is most of what a trial costs.
	From *pipeline.Snapshot
	// Programs, if set, are the compiled proofs of WAF profiles that others have
	// too.
	Programs *waf.Programs
	// Keys, if set, are used in place of new ones, which take time to make.
	Keys *Keys
	// Log hears of faults of ours; nil discards.
	Log *slog.Logger
}

// Trial is a gateway in this process. It serves one request after the other
// and is not safe for concurrent use.
type Trial struct {
	doc      *policy.Document
	compiler *compile.Compiler
	current  pipeline.Current
	handler  *edge.Handler
	limits   *limit.Engine
	keys     *Keys
	clock    *clock
	backend  backend
	coverage *coverage
	// explain says that the next request is to be explained; seen is what came
	// of the last.
	explain bool
	seen    *Outcome
}

// rememberedKeys bounds the callers that each limit of a trial remembers.
const rememberedKeys = 4096

// New compiles the document. The error holds every mistake that compiling
// finds.
func New(c Config) (*Trial, error) {
	if c.Document == nil {
		return nil, errors.New("trial: a document is required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Keys == nil {
		c.Keys = NewKeys()
	}
	limits, err := limit.NewEngine(limit.Config{Keys: rememberedKeys})
	if err != nil {
		return nil, err
	}
	t := &Trial{doc: c.Document, limits: limits, keys: c.Keys, clock: newClock(), coverage: newCoverage(c.Document)}
	t.compiler, err = compile.New(compile.Config{
		Limits: limits, Gate: waf.NewGate(0), Programs: c.Programs, Meter: func(string) pipeline.Meter { return unmetered{} },
		IssuerHTTP: func(string) (*http.Client, error) { return &http.Client{Transport: unreachable{}}, nil },
		Credential: credential,
		Follow:     func(compile.Feed) (*token.Revocations, error) { return nil, nil },
		Keys:       func(issuer string) func(context.Context) ([]byte, error) { return t.keys.set(issuer) },
		RoundTrip:  func(name string) http.RoundTripper { return link{name, &t.backend} },
		Secret:     func(path string) (string, error) { return "secret:" + path, nil },
		Now:        t.clock.latest,
		Log:        c.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := t.compile(c.From); err != nil {
		return nil, err
	}
	t.handler, err = edge.New(edge.Config{
		Current: &t.current, Events: discard{}, Unmatched: unmetered{}, Log: c.Log, Observe: t.observe, Now: t.clock.now, Described: true,
	})
	return t, err
}

// compile makes a snapshot in which nothing has happened yet: closed breakers,
// free capacity.
func (t *Trial) compile(from *pipeline.Snapshot) error {
	if from != nil {
		from = compile.Inspectors(from)
	}
	s, err := t.compiler.Compile(t.doc, from)
	if err != nil {
		return err
	}
	t.current.Store(s)
	return nil
}

// Snapshot is what the document was compiled into.
func (t *Trial) Snapshot() *pipeline.Snapshot { return t.current.Load() }

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) Observe(pipeline.Kind, int, time.Duration) {}

// discard keeps no event.
type discard struct{}

func (discard) Write(line []byte) (int, error) { return len(line), nil }

var errNoNetwork = errors.New("a trial reaches nobody")

// unreachable is the network of a trial.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoNetwork }

// credential plays the token service.
func credential(kind upstream.Kind, audience string) (upstream.Credential, error) {
	if kind == upstream.Exchange {
		return exchange("exchange:" + audience), nil
	}
	return own("client:" + audience), nil
}

// own is the token of the gateway's own for an audience: client:AUDIENCE.
type own string

func (o own) Token(context.Context, string) (string, error) { return string(o), nil }

// exchange is what every caller's token is exchanged for: exchange:AUDIENCE.
type exchange string

func (e exchange) Token(context.Context, string) (string, error) { return string(e), nil }

func (exchange) Forget(string) {}
