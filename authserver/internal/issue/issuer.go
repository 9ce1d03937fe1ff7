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
	"strings"
	"time"

	"portcullis/authserver/internal/keyring"
)

// accessTokenType is the typ header of RFC 9068 2.1. It keeps our tokens from
// being taken for anything else, and anything else for them.
const accessTokenType = "at+jwt"

// Config is what an issuer is made of.
type Config struct {
	// Issuer is the URL in iss; verifiers compare it exactly.
	Issuer string
	Ring   *keyring.Ring
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Issuer makes tokens. It is safe for concurrent use.
type Issuer struct {
	url  string
	ring *keyring.Ring
	now  func() time.Time
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
	return &Issuer{url: cfg.Issuer, ring: cfg.Ring, now: cfg.Now}, nil
}

// Token is an access token with what the client is told about it.
type Token struct {
	// Value is the signed token: a secret.
	Value string
	// ID is its jti; safe to log.
	ID       string
	Audience string
	// Scopes granted, sorted.
	Scopes []string
	// Lifetime is how long it is good for, from now.
	Lifetime time.Duration
	Expires  time.Time
}

// claims are those of RFC 9068 2.2, in the order they are written.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	ID       string `json:"jti"`
	Client   string `json:"client_id"`
	Scope    string `json:"scope,omitempty"`
}

// ClientCredentials issues a token to the client for itself (RFC 6749 4.4):
// its subject is the client, as RFC 9068 2.2 says. A refusal is an *Error.
func (i *Issuer) ClientCredentials(ctx context.Context, req Request) (Token, error) {
	if err := ctx.Err(); err != nil {
		return Token{}, err // signing is the dear part; nobody is waiting for it any more
	}
	g, err := decide(req)
	if err != nil {
		return Token{}, err
	}
	issued := i.now().Truncate(time.Second)
	token := Token{
		ID: rand.Text(), Audience: g.audience, Scopes: g.scopes,
		Lifetime: g.lifetime, Expires: issued.Add(g.lifetime),
	}
	payload, err := json.Marshal(claims{
		Issuer: i.url, Subject: req.Client.ID, Audience: g.audience,
		Expires: token.Expires.Unix(), Issued: issued.Unix(), ID: token.ID,
		Client: req.Client.ID, Scope: strings.Join(g.scopes, " "),
	})
	if err != nil {
		return Token{}, fmt.Errorf("encode the claims of a token for %q: %w", req.Client.ID, err)
	}
	token.Value, err = i.ring.Sign(accessTokenType, payload)
	if err != nil {
		return Token{}, err
	}
	return token, nil
}
