package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"portcullis/authserver/internal/accounts"
	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/policies/policy"
	"portcullis/services/problem"
)

// subjects checks the tokens that clients bring: our own, and those of the
// issuers in the policy. The policy may change; our own part does not.
type subjects struct {
	own     *token.Issuer
	url     string
	keys    func(context.Context) ([]byte, error)
	revoked *token.Revocations
	log     *slog.Logger

	current atomic.Pointer[trusted]
}

// trusted is the verifier of one version of the policy, and what it is made of:
// an issuer whose definition stayed keeps its keys.
type trusted struct {
	verifier *token.Verifier
	issuers  map[string]outsider
	grants   *clients.Grants // nil before the first policy
}

type outsider struct {
	config token.IssuerConfig // without what is made anew each time
	ca     string
	issuer *token.Issuer
}

func newSubjects(issuer string, ring *keyring.Ring, revoked *token.Revocations, log *slog.Logger) (*subjects, error) {
	s := &subjects{url: issuer, revoked: revoked, log: log, keys: func(context.Context) ([]byte, error) { return ring.JWKSJSON(), nil }}
	var err error
	s.own, err = token.NewIssuer(token.IssuerConfig{
		Name: oauth.OwnIssuer, URL: issuer, Keys: s.keys, DangerouslyAnyAudience: true, Revocations: revoked,
	})
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{s.own}})
	if err != nil {
		return nil, err
	}
	s.current.Store(&trusted{verifier: verifier})
	return s, nil
}

// Verify checks a token for any of our audiences: the caller decides whether it
// concerns the client. What is exchanged from another issuer's token says our iss
// and its sub, so that nobody behind us could tell the other's u-7 from ours: who
// signs in here, and our clients, are for us alone to speak of.
func (s *subjects) Verify(ctx context.Context, raw string, now time.Time) (*token.Principal, error) {
	t := s.current.Load()
	p, err := t.verifier.Verify(ctx, raw, now)
	if err == nil && p.Issuer != oauth.OwnIssuer && t.ours(p.Subject) {
		return nil, problem.New(problem.InvalidToken, "").
			Because(fmt.Errorf("issuer %q speaks of %q, whom only our own tokens may speak of", p.Issuer, p.Subject))
	}
	return p, err
}

// ours reports whether a subject can only be a person or a client of ours.
func (t *trusted) ours(subject string) bool {
	if strings.HasPrefix(subject, accounts.SubjectPrefix) {
		return true
	}
	if t.grants == nil {
		return false
	}
	_, known := t.grants.Client(subject)
	return known
}

// use trusts the issuers of a policy from now on. One that cannot be used is left
// out and logged: its tokens are refused, and nobody else's.
func (s *subjects) use(g *clients.Grants) {
	before := s.current.Load()
	next := &trusted{issuers: map[string]outsider{}, grants: g}
	all := []*token.Issuer{s.own}
	for _, p := range g.Issuers {
		if p.URL.V == s.url {
			continue
		}
		o, err := before.outsider(p)
		if err != nil {
			s.log.Error("tokens of an issuer cannot be exchanged", "issuer", p.Name.V, "error", err)
			continue
		}
		next.issuers[p.Name.V] = o
		all = append(all, o.issuer)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: all})
	if err != nil {
		s.log.Error("the issuers of the policy cannot be used; those before stay", "error", err)
		return
	}
	next.verifier = verifier
	s.current.Store(next)
}

// outsider makes an issuer of the policy, or keeps the one there was.
func (t *trusted) outsider(p *policy.Issuer) (outsider, error) {
	if p.Name.V == oauth.OwnIssuer {
		return outsider{}, errors.New("its tokens would be taken for our own: give it another name")
	}
	o := outsider{ca: p.CA.V, config: token.IssuerConfig{
		Name: p.Name.V, URL: p.URL.V, Audience: p.Audience.V, Profile: p.Profile.V, JWKS: p.JWKS.V,
		ClientClaim: p.ClientClaim.V, ScopeClaim: p.ScopeClaim.V, Lifetime: p.Lifetime.V,
	}}
	for _, a := range p.Algorithms {
		o.config.Algorithms = append(o.config.Algorithms, a.V)
	}
	for _, c := range p.Require {
		if o.config.Require == nil {
			o.config.Require = map[string]string{}
		}
		o.config.Require[c.Name] = c.Value.V
	}
	if kept, ok := t.issuers[o.config.Name]; ok && kept.ca == o.ca && reflect.DeepEqual(kept.config, o.config) {
		return kept, nil
	}
	cfg := o.config
	var err error
	if cfg.HTTP, err = certs.IssuerClient(o.ca); err != nil {
		return o, err
	}
	o.issuer, err = token.NewIssuer(cfg)
	return o, err
}

// guard lets in who has a token for ourselves: to hear the stream of revocations,
// or to end accounts.
func (s *subjects) guard(log *slog.Logger) (*token.Guard, error) {
	own, err := token.NewIssuer(token.IssuerConfig{Name: oauth.OwnIssuer, URL: s.url, Keys: s.keys, Audience: token.FeedAudience, Revocations: s.revoked})
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{own}})
	if err != nil {
		return nil, err
	}
	return token.NewGuard(token.GuardConfig{
		Verifier: verifier, Realm: token.FeedAudience, RequestID: func(r *http.Request) string { return r.Header.Get("X-Request-Id") },
		Refused: func(r *http.Request, p *problem.Problem) { log.Info("a client was refused", "reason", p.Error()) },
	})
}
