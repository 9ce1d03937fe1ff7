package main

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/certs"
	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/upstream"
)

// tokenService notes what it is asked for, and refuses or gives a token.
type tokenService struct {
	*httptest.Server
	mu    sync.Mutex
	asked []url.Values
	gives string
}

func newTokenService(t *testing.T, gives string) *tokenService {
	t.Helper()
	s := &tokenService{gives: gives}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.asked = append(s.asked, r.PostForm)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if s.gives == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"` + s.gives + `","token_type":"Bearer","expires_in":300,` +
			`"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *tokenService) tls() *tls.Config {
	return s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

func (s *tokenService) requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func newTokens(t *testing.T, id identity, client *tls.Config) *tokens {
	t.Helper()
	made, err := id.tokens(client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// The transport to the token service offers HTTP/2, the ones to upstreams must
// not: what one of them writes into the configuration they came from, the
// others would offer too.
func TestTokensLeaveTheSharedTLSConfigurationAlone(t *testing.T) {
	t.Parallel()
	service := newTokenService(t, "")
	shared := service.tls()
	shared.NextProtos = nil
	id := identity{tokenURL: service.URL + "/token", clientID: "gateway", secretFile: secretFile(t, "pcs_gateway_x")}
	credential, err := newTokens(t, id, shared).credential(upstream.Client, "search")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := credential.Token(t.Context(), ""); err == nil {
		t.Error("a refusal gave a token")
	}
	if len(service.requests()) == 0 || shared.NextProtos != nil {
		t.Errorf("asked %d times; the shared configuration now offers %q", len(service.requests()), shared.NextProtos)
	}
}

// A reload asks again for every credential.
func TestTokensOutliveAReload(t *testing.T) {
	t.Parallel()
	service := newTokenService(t, "inner")
	id := identity{tokenURL: service.URL + "/token", clientID: "gateway", secretFile: secretFile(t, "x")}
	tokens := newTokens(t, id, service.tls())
	for range 2 {
		for _, kind := range []upstream.Kind{upstream.Client, upstream.Exchange} {
			credential, err := tokens.credential(kind, "search")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := credential.Token(t.Context(), "edge"); got != "inner" || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}
	asked := service.requests()
	if len(asked) != 2 {
		t.Fatalf("asked %d times, want once for each kind", len(asked))
	}
	if asked[0].Get("grant_type") != "client_credentials" || asked[0].Has("subject_token") {
		t.Errorf("the gateway's own token was asked for with %v", asked[0])
	}
	if asked[1].Get("subject_token") != "edge" || asked[1].Get("audience") != "search" {
		t.Errorf("the caller's token was exchanged with %v", asked[1])
	}
	other, err := tokens.credential(upstream.Exchange, "reservations")
	if err != nil {
		t.Fatal(err)
	}
	if first, _ := tokens.credential(upstream.Exchange, "search"); first == other {
		t.Error("two audiences share their tokens")
	}
}

func TestAKeyProvesTheGatewayInPlaceOfASecret(t *testing.T) {
	t.Parallel()
	service := newTokenService(t, "inner")
	authority, err := certs.Dev(filepath.Join(t.TempDir(), "certs"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Leaf("gateway", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tokens := newTokens(t, identity{tokenURL: service.URL + "/token", clientID: "gateway", keyFile: files.Key}, service.tls())
	credential, err := tokens.credential(upstream.Exchange, "search")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := credential.Token(t.Context(), "edge"); got != "inner" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	asked := service.requests()[0]
	if strings.Count(asked.Get("client_assertion"), ".") != 2 || asked.Has("client_secret") {
		t.Errorf("asked with %v", asked)
	}
}

// The feed wants a token of ours, which no other issuer may see.
func TestOnlyTheTokenServiceIsFollowed(t *testing.T) {
	t.Parallel()
	id := identity{tokenURL: "https://localhost:1/token", clientID: "gateway", secretFile: secretFile(t, "x")}
	tokens := newTokens(t, id, &tls.Config{MinVersion: tls.VersionTLS12})
	for issuer, want := range map[string]bool{
		"https://localhost:1": true, "https://localhost:1/": true,
		"https://localhost:2": false, "https://localhost:1/token": false, "https://localhost:1.evil.test": false, "http://localhost:1": false,
	} {
		made, err := tokens.follow(compile.Feed{Issuer: issuer, Stale: time.Minute, Then: "deny"})
		if (err == nil && made != nil) != want {
			t.Errorf("%s: followed %v, %v", issuer, made != nil, err)
		}
	}
	_, err := tokens.follow(compile.Feed{Issuer: "https://localhost:1", CA: filepath.Join(t.TempDir(), "gone"), Stale: time.Minute, Then: "deny"})
	if err == nil || !strings.Contains(err.Error(), "reading the issuer's ca") {
		t.Errorf("an authority that is not there: %v", err)
	}
}
