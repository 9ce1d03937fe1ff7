// Package issue decides who may ask for which token, and makes it: an RFC 9068
// access token for one audience, minutes of life, stored nowhere. The client
// has been authenticated before; the decision is a pure function of what it
// was granted and what it asks for.
package issue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"portcullis/authserver/token"
)

// accessTokenType is the typ header of RFC 9068 2.1. It keeps our tokens from
// being taken for anything else, and anything else for them.
const accessTokenType = "at+jwt"

// Signer makes compact JWS with the key that signs now; keyring.Ring is one.
type Signer interface {
	Sign(typ string, payload []byte) (string, error)
}

// Config is what an issuer is made of.
type Config struct {
	// Issuer is the URL in iss; verifiers compare it exactly.
	Issuer string
	Ring   Signer
	// Revoked, if set, tells what has been revoked already: nobody is handed a
	// token that no verifier takes.
	Revoked func(*token.Principal) bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Issuer makes tokens. It is safe for concurrent use.
type Issuer struct {
	url     string
	ring    Signer
	revoked func(*token.Principal) bool
	now     func() time.Time
}

// New returns an issuer.
func New(cfg Config) (*Issuer, error) {
	if cfg.Issuer == "" {
		return nil, errors.New("an issuer needs its URL")
	}
	if cfg.Ring == nil {
		return nil, errors.New("an issuer needs a key ring")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Revoked == nil {
		cfg.Revoked = func(*token.Principal) bool { return false }
	}
	return &Issuer{url: cfg.Issuer, ring: cfg.Ring, revoked: cfg.Revoked, now: cfg.Now}, nil
}

// Token is an access token with what the client is told about it.
type Token struct {
	// Value is the signed token: a secret.
	Value string
	// ID is its jti; safe to log.
	ID string
	// Subject is whom it speaks for, Actors who acts for it, the one who acts now
	// first.
	Subject  string
	Actors   []string
	Audience string
	// Scopes granted, sorted.
	Scopes []string
	// Lifetime is how long it is good for, from now.
	Lifetime time.Duration
	Expires  time.Time
}

// ClientCredentials issues a token to the client for itself (RFC 6749 4.4):
// its subject is the client, as RFC 9068 2.2 says. A refusal is an *Error.
func (i *Issuer) ClientCredentials(ctx context.Context, req Request) (Token, error) {
	g, err := decide(req)
	if err != nil {
		return Token{}, err
	}
	return i.issue(ctx, req.Client, g, i.now())
}

// issue makes the token that was decided on.
func (i *Issuer) issue(ctx context.Context, client Client, g grant, now time.Time) (Token, error) {
	if err := ctx.Err(); err != nil {
		return Token{}, err // signing is the dear part; nobody is waiting for it any more
	}
	issued, err := i.unrevoked(client, g, now.Truncate(time.Second))
	if err != nil {
		return Token{}, err
	}
	t := Token{
		ID: rand.Text(), Subject: g.subject, Actors: g.actors, Audience: g.audience, Scopes: g.scopes,
		Lifetime: g.lifetime, Expires: now.Truncate(time.Second).Add(g.lifetime).Truncate(time.Second),
	}
	c := claims{
		Issuer: i.url, Subject: g.subject, Audience: g.audience, Expires: t.Expires.Unix(), Issued: issued.Unix(), ID: t.ID,
		Client: client.ID, Scope: forAudience(g.scopes), Act: Nest(g.actors), MayAct: MayAct(g.mayAct), Lineage: g.lineage,
	}
	if !g.authTime.IsZero() {
		c.AuthTime = g.authTime.Unix()
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return Token{}, fmt.Errorf("encode the claims of a token for %q: %w", client.ID, err)
	}
	if t.Value, err = i.ring.Sign(accessTokenType, payload); err != nil {
		return Token{}, err
	}
	return t, nil
}

// RevokedAhead is how far a revocation of what was issued before now reaches
// beyond now. Requests under way when it is made were let in before, and this
// process hears of it a moment later: what they are given must not outlive it.
const RevokedAhead = time.Second

// unrevoked is when the token says that it was issued. Times in tokens are whole
// seconds, and revocations reach ahead: what comes after one would be taken for
// what came before, so it says a later second, as close as that is.
func (i *Issuer) unrevoked(client Client, g grant, issued time.Time) (time.Time, error) {
	p := &token.Principal{Subject: g.subject, Client: client.ID, Actors: g.actors, Lineage: g.lineage, Issued: issued}
	for last := issued.Add(RevokedAhead + time.Second); i.revoked(p); p.Issued = p.Issued.Add(time.Second) {
		if !p.Issued.Before(last) {
			return issued, refuse(InvalidGrant, "what the token would be made from has been revoked")
		}
	}
	return p.Issued, nil
}
