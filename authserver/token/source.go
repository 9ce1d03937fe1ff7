package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"portcullis/services/problem"
)

const (
	// tokenTimeout bounds one request for a token.
	tokenTimeout = 5 * time.Second
	// maxBackoff bounds the wait between requests to a token service that
	// does not answer.
	maxBackoff = 30 * time.Second
	// assumedLifetime is for answers without expires_in (RFC 6749 5.1 only
	// recommends it).
	assumedLifetime = time.Minute
)

// SourceConfig is who asks, whom, and for what.
type SourceConfig struct {
	// TokenURL is the token endpoint.
	TokenURL string
	ClientID string
	// Secret returns the client's secret; it is asked before each request, so
	// that a new secret needs no restart.
	Secret func() (string, error)
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
	cfg    SourceConfig
	client *http.Client
	tokens refresher
	held   atomic.Pointer[held]
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
	if err := checkURL(cfg.TokenURL); err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	if cfg.ClientID == "" || cfg.Secret == nil {
		return nil, errors.New("a token source needs a client id and its secret")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	transport := http.DefaultTransport
	if cfg.HTTP != nil && cfg.HTTP.Transport != nil {
		transport = cfg.HTTP.Transport
	}
	s := &Source{cfg: cfg, client: &http.Client{
		Transport: bounded{transport},
		Timeout:   tokenTimeout,
		// A redirect would carry the secret to whoever is named there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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

// ask requests one token and keeps it.
func (s *Source) ask(ctx context.Context) error {
	secret, err := s.cfg.Secret()
	if err != nil {
		return fmt.Errorf("read the secret of client %q: %w", s.cfg.ClientID, err)
	}
	config := clientcredentials.Config{
		ClientID: s.cfg.ClientID, ClientSecret: secret, TokenURL: s.cfg.TokenURL, Scopes: s.cfg.Scopes,
		// Told, not probed: a probe with the wrong method counts as a failed
		// login where failures are limited.
		AuthStyle: oauth2.AuthStyleInHeader,
	}
	if s.cfg.Audience != "" {
		config.EndpointParams = url.Values{"audience": {s.cfg.Audience}}
	}
	asked := s.cfg.Now()
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, s.client))
	if err != nil {
		return reason(err)
	}
	if token.Type() != "Bearer" {
		return fmt.Errorf("the token service gave a token of type %q, not Bearer", token.Type())
	}
	life := assumedLifetime
	if !token.Expiry.IsZero() {
		life = time.Until(token.Expiry)
	}
	// Counted from before the request, by our own clock: the token cannot be
	// older than we think.
	s.held.Store(&held{value: token.AccessToken, renew: asked.Add(life * 4 / 5), until: asked.Add(life * 19 / 20)})
	return nil
}

// reason says why no token was given. The library's error quotes the whole
// answer, which may hold a token; only the standard's own words are repeated.
func reason(err error) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		if answer.ErrorCode == "" {
			return fmt.Errorf("the token service answered %s", answer.Response.Status)
		}
		return fmt.Errorf("the token service answered %s: %.64q: %.200q", answer.Response.Status, answer.ErrorCode, answer.ErrorDescription)
	}
	if transport, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("ask the token service: %w", transport)
	}
	return errors.New("the token service's answer holds no token")
}
