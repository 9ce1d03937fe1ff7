// Package oauth is the token service's public face: the endpoints of RFC 6749,
// RFC 8414 and RFC 7517. It reads requests, strictly, and writes answers; who a
// client is and what it may have is decided behind it.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/issue"
	"portcullis/services/problem"
)

// The paths served. They are a contract: clients may have them written down.
const (
	tokenPath = "/token"
	jwksPath  = "/jwks"
)

// Authenticator tells who a client is. Any error but clients.ErrRefused is a
// fault.
type Authenticator interface {
	Authenticate(ctx context.Context, name, secret string) (issue.Client, error)
}

// Issuer makes tokens. A refusal is an *issue.Error.
type Issuer interface {
	ClientCredentials(ctx context.Context, req issue.Request) (issue.Token, error)
}

// Keys shows the public keys.
type Keys interface{ JWKS() jose.JSONWebKeySet }

// Config is what a server is made of.
type Config struct {
	// Issuer is our URL, exactly as tokens name it: https, host, port, nothing
	// more, so that the well-known paths are found below it.
	Issuer  string
	Clients Authenticator
	Tokens  Issuer
	Keys    Keys
	// Rate is how many token requests one client may make from one source
	// address in ten seconds; default 100. One source may make ten times as
	// many for all its clients together.
	Rate int
	// Events gets one JSON line for each token asked for. It must not block.
	Events io.Writer
	// Metrics registers the server's own; nil for none.
	Metrics prometheus.Registerer
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
}

// Server answers. It is safe for concurrent use.
type Server struct {
	cfg      Config
	log      *slog.Logger
	requests *prometheus.CounterVec
	now      func() time.Time
}

// New returns a server.
func New(cfg Config) (*Server, error) {
	if cfg.Clients == nil || cfg.Tokens == nil || cfg.Keys == nil {
		return nil, errors.New("the token endpoints need clients, tokens and keys")
	}
	if err := checkIssuer(cfg.Issuer); err != nil {
		return nil, err
	}
	if cfg.Rate < 0 {
		return nil, fmt.Errorf("the rate %d of token requests is negative, and nothing is unlimited here", cfg.Rate)
	}
	if cfg.Rate == 0 {
		cfg.Rate = defaultRate
	}
	if cfg.Events == nil {
		cfg.Events = io.Discard
	}
	s := &Server{cfg: cfg, log: cfg.Log, now: time.Now, requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authserver_token_requests_total",
		Help: "Token requests by outcome: issued, or the error code of the answer.",
	}, []string{"outcome"})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(s.requests); err != nil {
			return nil, fmt.Errorf("register the metrics of the token endpoints: %w", err)
		}
	}
	return s, nil
}

// checkIssuer refuses an issuer that RFC 8414 2 does not allow, or whose
// metadata we would not serve where RFC 8414 3 looks for them.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("the issuer %q is not an https URL: write for instance https://localhost:8444", issuer)
	case u.Scheme+"://"+u.Host != issuer:
		return fmt.Errorf("the issuer %q has more than scheme, host and port: write %q", issuer, u.Scheme+"://"+u.Host)
	}
	return nil
}

// Handler serves the endpoints.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(secure, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, problem.New(problem.NotFound, ""), requestID(r))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		allow := "GET, HEAD"
		if r.URL.Path == tokenPath {
			allow = "POST"
		}
		problem.Write(w, r, problem.New(problem.MethodNotAllowed, "").With("Allow", allow), requestID(r))
	})
	r.With(noStore, s.limitSource(), s.read, s.limitClient()).Post(tokenPath, s.token)
	r.Get(jwksPath, s.jwks)
	r.Get("/.well-known/oauth-authorization-server", s.metadata)
	r.Get("/.well-known/openid-configuration", s.metadata)
	return r
}

// secure sets what belongs on every answer. No CORS field ever: a browser page
// of another origin has no business here.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// noStore keeps tokens, and refusals, out of caches (RFC 6749 5.1).
func noStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		next.ServeHTTP(w, r)
	})
}
