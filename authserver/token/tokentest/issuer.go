// Package tokentest is a token service for tests: a real HTTPS server in the
// test's own process, with the real key ring and the real decisions of the
// token service, that can also do what a real one never would: make bad tokens,
// lose its keys and go away.
package tokentest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/token"
)

// Audience is whom Mint's tokens are for unless the claims say otherwise.
const Audience = "https://api.hotel.test"

// Issuer is a token service that ends with its test.
type Issuer struct {
	// URL is the issuer's own, as it stands in iss.
	URL string

	t         testing.TB
	server    *httptest.Server
	fetches   atomic.Int64
	asked     atomic.Int64
	exchanges atomic.Int64
	inquiries atomic.Int64
	down      atomic.Bool
	revoked   feed

	mu       sync.Mutex
	ring     *keyring.Ring
	issuer   *issue.Issuer
	verifier *token.Verifier // of its own tokens, for any audience
	clients  map[string]registration
	// guest is who sits at the browser; codes and refreshes are their sign-ins.
	guest     person
	codes     map[string]*signIn
	refreshes map[string]*signIn
	// opaque is what introspection says of a token.
	opaque map[string]map[string]any
}

type registration struct {
	secret   string
	client   issue.Client
	redirect string // where people are sent back to; empty when it signs nobody in
}

// New starts an issuer that signs with ES256.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t, clients: map[string]registration{}, codes: map[string]*signIn{}, refreshes: map[string]*signIn{}, opaque: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /jwks", i.jwks)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("POST /introspect", i.introspect)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("GET /logout", i.logout)
	mux.HandleFunc("GET /revocations", i.revocations)
	i.revoked.begin()
	i.server = httptest.NewTLSServer(i.gate(mux))
	t.Cleanup(func() {
		i.revoked.end() // a server waits for its streams
		i.server.Close()
	})
	i.URL = i.server.URL
	i.Rotate()
	return i
}

// HTTP is a client that trusts the issuer's certificate.
func (i *Issuer) HTTP() *http.Client { return i.server.Client() }

// TokenURL is the token endpoint.
func (i *Issuer) TokenURL() string { return i.URL + "/token" }

// Config is what a verifier needs to accept the issuer's tokens.
func (i *Issuer) Config() token.IssuerConfig {
	return token.IssuerConfig{Name: "hotel", URL: i.URL, Audience: Audience, HTTP: i.HTTP()}
}

// Verifier accepts the issuer's tokens for Audience.
func (i *Issuer) Verifier() *token.Verifier { return i.VerifierFor(Audience) }

// VerifierFor accepts the issuer's tokens for another audience.
func (i *Issuer) VerifierFor(audience string) *token.Verifier {
	cfg := i.Config()
	cfg.Audience = audience
	return i.verify(cfg)
}

func (i *Issuer) verify(cfg token.IssuerConfig) *token.Verifier {
	i.t.Helper()
	issuer, err := token.NewIssuer(cfg)
	if err != nil {
		i.t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{issuer}})
	if err != nil {
		i.t.Fatal(err)
	}
	return verifier
}

// Rotate replaces the signing key. The old one is gone at once, as after a
// theft.
func (i *Issuer) Rotate() {
	i.t.Helper()
	ring, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
	if err != nil {
		i.t.Fatal(err)
	}
	issuer, err := issue.New(issue.Config{Issuer: i.URL, Ring: ring, Revoked: i.revoked.set.Revoked})
	if err != nil {
		i.t.Fatal(err)
	}
	verifier := i.own(ring)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ring, i.issuer, i.verifier = ring, issuer, verifier
}

// own verifies the tokens that ring has signed, whomever they are for.
func (i *Issuer) own(ring *keyring.Ring) *token.Verifier {
	return i.verify(token.IssuerConfig{
		Name: "hotel", URL: i.URL, DangerouslyAnyAudience: true, Revocations: i.revoked.set,
		Keys: func(context.Context) ([]byte, error) { return ring.JWKSJSON(), nil },
	})
}

// Down makes the issuer break every connection without an answer, also those
// that follow its revocations.
func (i *Issuer) Down() {
	i.down.Store(true)
	i.revoked.wake()
}

// Up ends Down.
func (i *Issuer) Up() { i.down.Store(false) }

// Fetches counts the requests for the key set, also those while down.
func (i *Issuer) Fetches() int { return int(i.fetches.Load()) }

// Asked counts the requests for a token, also those while down.
func (i *Issuer) Asked() int { return int(i.asked.Load()) }

// Exchanges counts the requests of known clients for a token in exchange for
// another.
func (i *Issuer) Exchanges() int { return int(i.exchanges.Load()) }

// Mint signs a token that is good in every respect, changed by claims: a value
// replaces the usual one, nil removes it. A nil map changes nothing.
func (i *Issuer) Mint(claims map[string]any) string {
	i.t.Helper()
	return i.MintRaw(nil, i.claims(claims))
}

// MintRaw signs claims as they are, with header changed as Mint changes claims.
// Claims that are a string or bytes are the payload itself, JSON or not.
func (i *Issuer) MintRaw(header map[string]any, claims any) string {
	i.t.Helper()
	key := i.key()
	fields := map[string]any{"alg": key.Algorithm, "kid": key.ID, "typ": "at+jwt"}
	change(fields, header)
	return i.Sign(encode(i.t, fields), encode(i.t, claims))
}

// Sign joins a header and a payload, JSON or not, to a token with a true
// signature of the current key.
func (i *Issuer) Sign(header, payload []byte) string {
	i.t.Helper()
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	key := i.key()
	signature, err := cryptosigner.Opaque(key.Signer).SignPayload([]byte(input), key.Algorithm)
	if err != nil {
		i.t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Key is the current public key, as the key set shows it.
func (i *Issuer) Key() jose.JSONWebKey { return i.key().Public() }

func (i *Issuer) key() *keyring.Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ring.Signer()
}

func (i *Issuer) claims(changes map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL, "sub": "g-7", "aud": Audience, "client_id": "demo", "scope": "search:read",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": "t-1",
	}
	change(claims, changes)
	return claims
}

func change(m, changes map[string]any) {
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_ string, value any) bool { return value == nil })
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	switch v := v.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
