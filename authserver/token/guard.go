package token

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"portcullis/services/problem"
)

// GuardConfig is whom a service lets in.
type GuardConfig struct {
	Verifier *Verifier
	// Realm is what challenges call the service.
	Realm string
	// Peer names the other end of a connection by its verified certificate
	// (certs.Peer). When set, that name must be the token's client_id: a token
	// that was stolen from one service is then worth nothing to another. When
	// nil, the token alone says who calls.
	Peer func(*tls.ConnectionState) (name string, ok bool)
	// RequestID finds the id that a problem shows; nil shows none.
	RequestID func(*http.Request) string
	// Refused is told of every refusal, with its private cause; nil for none.
	Refused func(*http.Request, *problem.Problem)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Guard lets requests with a good access token through to a handler.
type Guard struct{ cfg GuardConfig }

// NewGuard returns a guard.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	if cfg.Verifier == nil {
		return nil, errors.New("a guard needs a verifier")
	}
	if cfg.RequestID == nil {
		cfg.RequestID = func(*http.Request) string { return "" }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Guard{cfg}, nil
}

// Require returns middleware that passes on requests whose token has all of
// scopes, with the principal in their context; see FromContext.
func (g *Guard) Require(scopes ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			principal, err := g.admit(r, scopes)
			if err != nil {
				p, ok := errors.AsType[*problem.Problem](err)
				if !ok {
					p = problem.New(problem.Internal, "").Because(err)
				}
				if g.cfg.Refused != nil {
					g.cfg.Refused(r, p)
				}
				problem.Write(w, r, Challenge(p, g.cfg.Realm, scopes...), g.cfg.RequestID(r))
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, principal)))
		})
	}
}

func (g *Guard) admit(r *http.Request, scopes []string) (*Principal, error) {
	raw, err := Bearer(r.Header)
	if err != nil {
		return nil, err
	}
	caller, err := g.cfg.Verifier.Verify(r.Context(), raw, g.cfg.Now())
	if err != nil {
		return nil, err
	}
	if err := g.proved(r.TLS, caller.Client); err != nil {
		return nil, err
	}
	for _, scope := range scopes {
		if !caller.Has(scope) {
			return nil, problem.New(problem.InsufficientScope, "").
				Because(fmt.Errorf("client %q lacks scope %q", caller.Client, scope))
		}
	}
	return caller, nil
}

// proved checks that the client itself is at the other end, not someone who got
// hold of its token.
func (g *Guard) proved(cs *tls.ConnectionState, client string) error {
	if g.cfg.Peer == nil {
		return nil
	}
	if cs == nil || len(cs.VerifiedChains) == 0 {
		return forbidden("a token of client %q came without a client certificate", client)
	}
	if name, ok := g.cfg.Peer(cs); !ok || name != client {
		return forbidden("a token of client %q came with the certificate of %q", client, name)
	}
	return nil
}

func forbidden(format string, args ...any) *problem.Problem {
	return problem.New(problem.Forbidden, "").Because(fmt.Errorf(format, args...))
}

type contextKey struct{}

// FromContext returns the principal a Guard let through.
func FromContext(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(*Principal)
	return p, ok
}
