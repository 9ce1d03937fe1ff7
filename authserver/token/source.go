package token

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"portcullis/services/problem"
)

// maxBackoff bounds the wait between requests to a token service that does not
// answer.
const maxBackoff = 30 * time.Second

// SourceConfig is who asks, whom, and for what.
type SourceConfig struct {
	// TokenURL is the token endpoint.
	TokenURL string
	ClientID string
	// Secret returns the client's secret; it is asked before each request, so
	// that a new secret needs no restart. A client has it or Key, not both.
	Secret func() (string, error)
	// Key signs an assertion for each request in place of a secret
	// (private_key_jwt); Issuer is the URL of the issuer it is for.
	Key    *ClientKey
	Issuer string
	// Audience the token is for; one.
	Audience string
	// Scopes asked for; empty asks for all that are granted.
	Scopes []string
	// HTTP gives the transport; nil is the system's.
	HTTP *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Source keeps one access token of our own at hand (client credentials, RFC
// 6749 4.4). It asks for the next one in the background when four fifths of the
// present one's life are over, and serves the present one meanwhile. It is safe
// for concurrent use.
type Source struct {
	cfg      SourceConfig
	endpoint *endpoint
	tokens   refresher
	held     atomic.Pointer[held]
}

// held is a token and until when it is of use.
type held struct {
	value string
	// renew is when to ask for the next one; until is when to stop using this
	// one, a little before it expires: it still has to arrive.
	renew, until time.Time
}

// NewSource returns a source; it asks for nothing yet.
func NewSource(cfg SourceConfig) (*Source, error) {
	e, err := endpoint{
		url: cfg.TokenURL, client: cfg.ClientID, issuer: cfg.Issuer, secret: cfg.Secret, key: cfg.Key, now: cfg.Now,
	}.complete(cfg.HTTP)
	if err != nil {
		return nil, err
	}
	cfg.Now = e.now
	s := &Source{cfg: cfg, endpoint: e}
	s.tokens = refresher{run: s.ask, timeout: tokenTimeout, now: cfg.Now, gap: func(failures int) time.Duration {
		return backoff(failures, maxBackoff)
	}}
	return s, nil
}

// Token returns a token that is good now. It waits only when there is none, at
// most two seconds; the error is then a *problem.Problem, unavailable, with the
// reason as its private cause.
func (s *Source) Token(ctx context.Context) (string, error) {
	now := s.cfg.Now()
	if h := s.held.Load(); h != nil && now.Before(h.until) {
		if !now.Before(h.renew) {
			s.tokens.start()
		}
		return h.value, nil
	}
	waited := s.tokens.start().wait(ctx, patience)
	if h := s.held.Load(); h != nil && s.cfg.Now().Before(h.until) {
		return h.value, nil
	}
	retry, err := s.tokens.last()
	if waited != nil {
		err = waited
	}
	return "", problem.New(problem.Unavailable, "").
		Because(fmt.Errorf("no token for audience %q: %w", s.cfg.Audience, err)).
		With("Retry-After", seconds(retry))
}

// Forget gives up the token raw, if it is the one at hand: its receiver would not
// take it, though by our clock it is good. The next one is asked for when it is
// needed.
func (s *Source) Forget(raw string) {
	if h := s.held.Load(); h != nil && h.value == raw {
		s.held.CompareAndSwap(h, nil)
	}
}

// ask requests one token and keeps it.
func (s *Source) ask(ctx context.Context) error {
	params := url.Values{}
	if s.cfg.Audience != "" {
		params.Set("audience", s.cfg.Audience)
	}
	t, err := s.endpoint.ask(ctx, params, s.cfg.Scopes)
	if err != nil {
		return err
	}
	s.held.Store(&held{value: t.value, renew: t.after(16), until: t.after(19)})
	return nil
}
