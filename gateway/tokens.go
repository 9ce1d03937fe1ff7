package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/upstream"
)

// tokens is what the gateway gets from the token service: tokens of its own,
// tokens for others' and the list of those that were revoked. It outlives
// every snapshot.
type tokens struct {
	identity
	key  *token.ClientKey // nil: a secret
	http *http.Client
	log  *slog.Logger

	mu    sync.Mutex
	given map[use]upstream.Credential
}

type use struct {
	kind     upstream.Kind
	audience string
}

func (id identity) tokens(client *tls.Config, log *slog.Logger) (*tokens, error) {
	t := &tokens{identity: id, log: log, given: map[use]upstream.Credential{}, http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: client.Clone(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
	}}}
	if id.keyFile == "" {
		return t, nil
	}
	if id.secretFile != "" {
		return nil, errors.New("--client-key and --client-secret-file are two proofs of one client: give one of them")
	}
	var err error
	if t.key, err = token.ReadClientKey(id.keyFile); err != nil {
		return nil, fmt.Errorf("--client-key: %w", err)
	}
	return t, nil
}

// issuer is the token service as its tokens name it.
func (t *tokens) issuer() string { return strings.TrimSuffix(t.tokenURL, "/token") }

// known reports whether the flags say who the gateway is at the token service.
func (t *tokens) known() error {
	switch {
	case t.tokenURL == "" || t.clientID == "" || t.secretFile == "" && t.key == nil:
		return errors.New("this needs --token-url, --client-id and one of --client-secret-file and --client-key")
	case !strings.HasSuffix(t.tokenURL, "/token"):
		return fmt.Errorf("--token-url %q must be the issuer's URL and /token", t.tokenURL)
	}
	return nil
}

// credential gives the one source of a kind of tokens for an audience.
func (t *tokens) credential(kind upstream.Kind, audience string) (upstream.Credential, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.given[use{kind, audience}]; c != nil {
		return c, nil
	}
	made, err := t.make(kind, audience)
	if err != nil {
		return nil, err
	}
	t.given[use{kind, audience}] = made
	return made, nil
}

func (t *tokens) make(kind upstream.Kind, audience string) (upstream.Credential, error) {
	if err := t.known(); err != nil {
		return nil, fmt.Errorf("%w; an upstream that wants no token says credential: {none: reason}", err)
	}
	if kind == upstream.Exchange {
		exchanger, err := token.NewExchanger(token.ExchangerConfig{
			TokenURL: t.tokenURL, ClientID: t.clientID, Issuer: t.issuer(), Secret: t.proof(), Key: t.key, Audience: audience, HTTP: t.http,
		})
		if err != nil {
			return nil, err
		}
		return exchanger, nil
	}
	source, err := t.source(audience)
	if err != nil {
		return nil, err
	}
	return upstream.Own{Source: source}, nil
}

func (t *tokens) source(audience string, scopes ...string) (*token.Source, error) {
	return token.NewSource(token.SourceConfig{
		TokenURL: t.tokenURL, ClientID: t.clientID, Issuer: t.issuer(), Secret: t.proof(), Key: t.key, Audience: audience, Scopes: scopes, HTTP: t.http,
	})
}

// follow makes what keeps step with the revocations of the token service. No
// other issuer is followed: it would be sent a token of ours.
func (t *tokens) follow(feed compile.Feed) (*token.Revocations, error) {
	if err := t.known(); err != nil {
		return nil, fmt.Errorf("to follow its revocations: %w", err)
	}
	issuer := strings.TrimSuffix(feed.Issuer, "/")
	if issuer != t.issuer() {
		return nil, fmt.Errorf("revocations can only be followed for %s, which gives the gateway its tokens; leave the key out", t.issuer())
	}
	client, err := certs.IssuerClient(feed.CA)
	if err != nil {
		return nil, err
	}
	source, err := t.source(token.FeedAudience, token.FeedScope)
	if err != nil {
		return nil, err
	}
	return token.NewRevocations(token.RevocationsConfig{
		URL: issuer + "/revocations", Token: source.Token, Refused: source.Forget, HTTP: client, Stale: feed.Stale, Then: feed.Then, Log: t.log,
	})
}

// proof gives the client's secret; nil where a key proves it.
func (t *tokens) proof() func() (string, error) {
	if t.key != nil {
		return nil
	}
	return t.secret
}

// secret reads the client secret anew each time, so that a rotated one needs
// no restart.
func (id identity) secret() (string, error) {
	secret, err := token.ReadSecret(id.secretFile)
	if err != nil {
		return "", fmt.Errorf("reading --client-secret-file: %w", err)
	}
	return secret, nil
}
