package token_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// guarded answers with who calls, behind a guard for search:read.
func guarded(t *testing.T, issuer *tokentest.Issuer, change func(*token.GuardConfig)) http.Handler {
	t.Helper()
	cfg := token.GuardConfig{
		Verifier: issuer.Verifier(), Realm: "search",
		RequestID: func(*http.Request) string { return "r-1" },
	}
	if change != nil {
		change(&cfg)
	}
	guard, err := token.NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return guard.Require("search:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := token.FromContext(r.Context())
		if !ok {
			t.Error("there is no principal in the context")
			return
		}
		_, _ = w.Write([]byte(p.Subject + "/" + p.Client + "/" + p.Actor))
	}))
}

// verified is a connection whose client certificate was verified.
func verified() *tls.ConnectionState {
	return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
}

func TestAGuardLetsThroughWhoMay(t *testing.T) {
	issuer := tokentest.New(t)
	user := "Bearer " + issuer.Mint(nil)
	behalf := "Bearer " + issuer.Mint(claims{"sub": "g-9", "client_id": "gateway", "act": claims{"sub": "gateway"}})
	weak := "Bearer " + issuer.Mint(claims{"scope": "other"})
	for _, c := range []struct {
		name   string
		header http.Header
		status int
		want   string // the body, or the challenge
	}{
		{"a caller with the scope", http.Header{"Authorization": {user}}, 200, "g-7/demo/"},
		{"the gateway for a guest", http.Header{"Authorization": {behalf}}, 200, "g-9/gateway/gateway"},
		{"nobody", http.Header{}, 401, `Bearer realm="search"`},
		{"garbage", http.Header{"Authorization": {"Bearer x"}}, 401, `Bearer realm="search", error="invalid_token"`},
		{"a caller without the scope", http.Header{"Authorization": {weak}}, 403, `Bearer realm="search", error="insufficient_scope", scope="search:read"`},
		{"two tokens", http.Header{"Authorization": {user, user}}, 400, ""},
		{"a field that names someone else", http.Header{"Authorization": {user}, "Portcullis-Subject": {"g-9"}}, 200, "g-7/demo/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = c.header
			guarded(t, issuer, nil).ServeHTTP(w, r)
			got := w.Header().Get("WWW-Authenticate")
			if c.status == 200 {
				got = w.Body.String()
			}
			if w.Code != c.status || got != c.want {
				t.Errorf("%d %q %s", w.Code, got, w.Body)
			}
		})
	}
}

func TestAStolenTokenIsWorthNothingWithAnotherCertificate(t *testing.T) {
	issuer := tokentest.New(t)
	for _, c := range []struct {
		name   string
		tls    *tls.ConnectionState
		peer   string
		status int
	}{
		{"the client's own certificate", verified(), "gateway", 200},
		{"another service's", verified(), "search", 403},
		{"one that begins alike", verified(), "gateway2", 403},
		{"one without a name", verified(), "", 403},
		{"one that nobody verified", &tls.ConnectionState{}, "gateway", 403},
		{"no TLS at all", nil, "gateway", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			var refused *problem.Problem
			handler := guarded(t, issuer, func(cfg *token.GuardConfig) {
				cfg.Peer = func(*tls.ConnectionState) (string, bool) { return c.peer, c.peer != "" }
				cfg.Refused = func(_ *http.Request, p *problem.Problem) { refused = p }
			})
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.TLS = c.tls
			// sub is chosen by whoever logs in; only client_id names a client.
			r.Header.Set("Authorization", "Bearer "+issuer.Mint(claims{"sub": "search", "client_id": "gateway"}))
			handler.ServeHTTP(w, r)
			if w.Code != c.status || (refused != nil) != (c.status != 200) {
				t.Errorf("%d, told %v", w.Code, refused)
			}
			if strings.Contains(w.Body.String(), "certificate") {
				t.Errorf("the private cause is public: %s", w.Body)
			}
		})
	}
}

func TestAGuardNeedsAVerifier(t *testing.T) {
	if _, err := token.NewGuard(token.GuardConfig{}); err == nil {
		t.Error("a guard that checks nothing was made")
	}
}
