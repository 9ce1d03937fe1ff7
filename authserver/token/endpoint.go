package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// tokenTimeout bounds one request for a token, or about one.
	tokenTimeout = 5 * time.Second
	// assumedLifetime is for answers without expires_in (RFC 6749 5.1 only
	// recommends it).
	assumedLifetime = time.Minute
)

// What client and token service call things on the wire.
const (
	// JWTBearer is the client_assertion_type of an assertion (RFC 7523 2.2).
	JWTBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// ExchangeGrant is the grant_type of a token exchange (RFC 8693 2.1).
	ExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	// AccessTokenType is the type of a token that is exchanged, or comes of it
	// (RFC 8693 3).
	AccessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// endpoint is a token endpoint, and who we are there.
type endpoint struct {
	url, client, issuer string
	secret              func() (string, error) // or key
	key                 *ClientKey
	http                *http.Client
	now                 func() time.Time
}

func (e endpoint) complete(base *http.Client) (*endpoint, error) {
	if err := checkURL(e.url); err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	if e.client == "" || (e.secret == nil) == (e.key == nil) {
		return nil, errors.New("whoever asks for tokens needs a client id and either its secret or its key")
	}
	if e.key != nil && e.issuer == "" {
		return nil, fmt.Errorf("client %q has a key: it needs the issuer's URL too, which its assertions are for", e.client)
	}
	if e.now == nil {
		e.now = time.Now
	}
	e.http = confiding(base)
	return &e, nil
}

// confiding is a client, by the transport of base, that tells the token service
// secrets: tokens, and who we are.
func confiding(base *http.Client) *http.Client {
	transport := http.DefaultTransport
	if base != nil && base.Transport != nil {
		transport = base.Transport
	}
	return &http.Client{
		Transport: bounded{transport},
		Timeout:   tokenTimeout,
		// A redirect would carry them to whoever is named there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// issued is a token and how long it lives, counted from asked: before the
// request, by our own clock, so that it cannot be older than we think.
type issued struct {
	value string
	kind  string // issued_token_type (RFC 8693 2.2.1)
	asked time.Time
	life  time.Duration
}

// after is when a part of the token's life is over, in twentieths.
func (t issued) after(twentieths time.Duration) time.Time {
	return t.asked.Add(t.life * twentieths / 20)
}

// ask requests one token; params are added to those of the client credentials
// grant, or replace its grant_type.
func (e *endpoint) ask(ctx context.Context, params url.Values, scopes []string) (issued, error) {
	config := clientcredentials.Config{
		ClientID: e.client, TokenURL: e.url, Scopes: scopes, EndpointParams: params,
		// Told, not probed: a probe with the wrong method counts as a failed
		// login where failures are limited.
		AuthStyle: oauth2.AuthStyleInHeader,
	}
	asked := e.now()
	var err error
	if e.key != nil {
		// A fresh one for each request: its id is good once.
		var assertion string
		if assertion, err = e.key.Assertion(e.client, e.issuer, asked); err != nil {
			return issued{}, err
		}
		config.AuthStyle = oauth2.AuthStyleInParams
		params.Set("client_assertion_type", JWTBearer)
		params.Set("client_assertion", assertion)
	} else if config.ClientSecret, err = e.secret(); err != nil {
		return issued{}, fmt.Errorf("read the secret of client %q: %w", e.client, err)
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, e.http))
	if err != nil {
		return issued{}, reason(err)
	}
	if token.Type() != "Bearer" {
		return issued{}, fmt.Errorf("the token service gave a token of type %.40q, not Bearer", token.Type())
	}
	if !isBearer(token.AccessToken) {
		return issued{}, errors.New("the token service gave a token that no header field can carry")
	}
	life := assumedLifetime
	switch {
	case !token.Expiry.IsZero():
		life = time.Until(token.Expiry)
	case token.Extra("expires_in") != nil:
		life = 0 // the library takes 0 for no answer
	}
	kind, _ := token.Extra("issued_token_type").(string)
	return issued{token.AccessToken, kind, asked, life}, nil
}

// isBearer reports whether s can stand in an Authorization field (RFC 6750 2.1).
func isBearer(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ',' || c == '"' {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}

// refusal is an answer of the token service other than a token. Only the
// standard's own words are repeated: the answer may hold a token.
type refusal struct {
	status            string
	code, description string
	retry             time.Duration
}

func (r *refusal) Error() string {
	if r.code == "" {
		return "the token service answered " + r.status
	}
	return fmt.Sprintf("the token service answered %s: %.64q: %.200q", r.status, r.code, r.description)
}

// reason says why no token was given.
func reason(err error) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		// What is no number is zero, what is too large the most: both are bounded.
		after, _ := strconv.ParseUint(answer.Response.Header.Get("Retry-After"), 10, 16)
		return &refusal{
			answer.Response.Status, answer.ErrorCode, answer.ErrorDescription,
			min(time.Duration(after)*time.Second, maxBackoff),
		}
	}
	if transport, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("ask the token service: %w", transport)
	}
	return errors.New("the token service's answer holds no token")
}
