// Package oauth is the token service's public face: the endpoints of RFC 6749
// and what was built on it (RFC 7009, 7517, 7662, 8414, 8693, 9207, OpenID
// Connect). It reads requests, strictly, and writes answers; who a client is and
// what it may have is decided behind it.
package oauth

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/backoff"
	"portcullis/authserver/token"
	"portcullis/services/problem"
)

// The paths served. They are a contract: clients may have them written down.
const (
	tokenPath       = "/token"
	jwksPath        = "/jwks"
	authorizePath   = "/authorize"
	logoutPath      = "/logout"
	introspectPath  = "/introspect"
	revokePath      = "/revoke"
	revocationsPath = "/revocations"
	auditHeadPath   = "/audit/head"
	accountPath     = "/accounts/{subject}"
)

// OwnIssuer is what the verifier calls ourselves.
const OwnIssuer = "portcullis"

// Server serves the endpoints.
type Server struct {
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	requests *prometheus.CounterVec
	backoff  *backoff.Table[payer]
	streams  seats

	headMu sync.Mutex
	head   signedHead
}

// New returns the endpoints.
func New(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, now: cfg.Now, streams: seats{taken: map[string]int{}},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authserver_token_requests_total",
			Help: "Requests to the endpoints for clients by outcome: issued, authorized, introspected, revoked, erased, or the error code of the answer.",
		}, []string{"outcome"}),
	}
	var err error
	if s.backoff, err = backoff.New[payer](backoff.Config{}); err != nil {
		return nil, err
	}
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(s.requests); err != nil {
			return nil, fmt.Errorf("register the metrics of the token endpoints: %w", err)
		}
	}
	return s, nil
}

// Handler serves the endpoints, and below them the pages for people.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(secure, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, problem.New(problem.NotFound, ""), requestID(r))
	})
	if s.cfg.People != nil {
		s.forPeople(r)
	}
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		allow := "GET, HEAD"
		switch r.URL.Path {
		case tokenPath, introspectPath, revokePath:
			allow = "POST"
		}
		if strings.HasPrefix(r.URL.Path, "/accounts/") {
			allow = "DELETE"
		}
		problem.Write(w, r, problem.New(problem.MethodNotAllowed, "").With("Allow", allow), requestID(r))
	})
	forClients := r.With(noStore, s.limitSource(s.refuseClient), s.read, s.limitClient())
	forClients.Post(tokenPath, s.authenticated(s.token))
	forClients.Post(introspectPath, s.authenticated(s.introspect))
	forClients.Post(revokePath, s.authenticated(s.revoke))
	r.With(noStore, s.limitSource(s.refuseClient), s.cfg.Guard.Require(token.FeedScope)).Get(revocationsPath, s.listRevocations)
	r.With(noStore, s.limitSource(s.refuseClient), s.cfg.Guard.Require(token.EraseScope)).Delete(accountPath, s.eraseAccount)
	r.With(noStore, s.limitSource(s.refuseClient)).Get(auditHeadPath, s.auditHead)
	r.Get(jwksPath, s.jwks)
	r.Get("/.well-known/oauth-authorization-server", s.metadata)
	r.Get("/.well-known/openid-configuration", s.metadata)
	return r
}

// forPeople serves what needs somebody who signs in, and the pages below it.
func (s *Server) forPeople(r chi.Router) {
	r.NotFound(s.cfg.People.Handler().ServeHTTP)
	limited := r.With(noStore, s.limitSource(s.refuseByPage))
	limited.Get(authorizePath, s.authorize)
	limited.Get(logoutPath, s.logout)
	limited.Post(logoutPath, s.logout)
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
