package token

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var errExpired = errors.New("the token has expired")

// read turns claims into a principal, by the issuer's profile. from is the
// time from which the token is good, skew not yet taken off.
func (cfg *IssuerConfig) read(c members, now time.Time) (p *Principal, from time.Time, err error) {
	p = &Principal{Issuer: cfg.Name}
	if p.Audience, err = c.texts("aud", maxAudiences); err != nil {
		return nil, from, err
	}
	if !cfg.DangerouslyAnyAudience && !slices.Contains(p.Audience, cfg.Audience) {
		return nil, from, fmt.Errorf("aud %q is not for %q", p.Audience, cfg.Audience)
	}
	if from, err = cfg.window(p, c, now); err != nil {
		return nil, from, err
	}
	for name, want := range cfg.Require {
		if got, ok := c[name].(string); !ok || got != want {
			return nil, from, fmt.Errorf("claim %s is not %q as issuer %q requires", name, want, cfg.Name)
		}
	}
	if _, bound := c["cnf"]; bound {
		// The holder must prove a key; to take the token without the proof
		// would make a stolen one as good as the real one.
		return nil, from, errors.New("the token is bound to a key (cnf) and not a bearer token")
	}
	if p.Subject, err = c.text("sub"); err != nil {
		return nil, from, err
	}
	if p.Client, err = c.text(cfg.ClientClaim); err != nil {
		return nil, from, err
	}
	if _, present := c["jti"]; present || cfg.Profile == RFC9068 {
		if p.TokenID, err = c.text("jti"); err != nil {
			return nil, from, err
		}
	}
	if p.Scopes, err = c.scopes(cfg.ScopeClaim, cfg.Profile == JWT); err != nil {
		return nil, from, err
	}
	if p.Actors, err = c.actors(); err != nil {
		return nil, from, err
	}
	if len(p.Actors) > 0 {
		p.Actor = p.Actors[0]
	}
	if p.MayAct, err = c.mayAct(); err != nil {
		return nil, from, err
	}
	if p.Lineage, err = c.lineage(); err != nil {
		return nil, from, err
	}
	if p.AuthTime, _, err = c.when("auth_time"); err != nil {
		return nil, from, err
	}
	if p.Claims, err = c.declared(cfg.Claims); err != nil {
		return nil, from, err
	}
	return p, from, nil
}

// window checks the times of a token and notes them in p; from is the time from
// which it is good. All comparisons with now forgive skew.
func (cfg *IssuerConfig) window(p *Principal, c members, now time.Time) (from time.Time, err error) {
	expires, hasExpires, err := c.when("exp")
	if err != nil {
		return from, err
	}
	issued, hasIssued, err := c.when("iat")
	if err != nil {
		return from, err
	}
	notBefore, hasNotBefore, err := c.when("nbf")
	if err != nil {
		return from, err
	}
	p.Issued, p.Expires = issued, expires
	from = issued
	if hasNotBefore && notBefore.After(from) {
		from = notBefore
	}
	switch {
	case !hasExpires:
		err = errors.New("exp is missing")
	case !hasIssued:
		err = errors.New("iat is missing")
	case !now.Before(expires.Add(Skew)):
		err = fmt.Errorf("%w at %s", errExpired, expires.UTC().Format(time.RFC3339))
	case now.Before(from.Add(-Skew)):
		err = fmt.Errorf("the token is not good before %s", from.UTC().Format(time.RFC3339))
	case expires.Before(issued):
		err = errors.New("exp is before iat")
	case expires.Sub(issued) > cfg.Lifetime:
		err = fmt.Errorf("the token lives %s, longer than %s", expires.Sub(issued), cfg.Lifetime)
	}
	return from, err
}
