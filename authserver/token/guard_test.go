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

// guarded answers with who calls, behind a guard for search:read that lets the
// gateway speak for others.
func guarded(t *testing.T, issuer *tokentest.Issuer, change func(*token.GuardConfig)) http.Handler {
	t.Helper()
	cfg := token.GuardConfig{
		Verifier: issuer.Verifier(), Realm: "search", Delegates: []string{"gateway"},
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
	gateway := "Bearer " + issuer.Mint(claims{"sub": "gateway", "client_id": "gateway"})
	// sub is chosen by whoever logs in; only client_id makes a delegate.
	impostor := "Bearer " + issuer.Mint(claims{"sub": "gateway"})
	weak := "Bearer " + issuer.Mint(claims{"sub": "gateway", "client_id": "gateway", "scope": "other"})
	behalf := func(authorization string) http.Header {
		return http.Header{"Authorization": {authorization}, "Portcullis-Subject": {"g-9"}, "Portcullis-Client": {"kiosk"}}
	}
	for _, c := range []struct {
		name   string
		header http.Header
		tls    *tls.ConnectionState
		status int
		want   string // the body, or the challenge
	}{
		{"a caller with the scope", http.Header{"Authorization": {user}}, nil, 200, "g-7/demo/"},
		{"nobody", http.Header{}, nil, 401, `Bearer realm="search"`},
		{"garbage", http.Header{"Authorization": {"Bearer x"}}, nil, 401, `Bearer realm="search", error="invalid_token"`},
		{"a caller without the scope", http.Header{"Authorization": {weak}}, nil, 403, `Bearer realm="search", error="insufficient_scope", scope="search:read"`},
		{"two tokens", http.Header{"Authorization": {user, user}}, nil, 400, ""},
		{"the gateway for itself", http.Header{"Authorization": {gateway}}, verified(), 200, "gateway/gateway/"},
		{"the gateway for a guest", behalf(gateway), verified(), 200, "g-9/kiosk/gateway"},
		{"the gateway for a guest of no client", http.Header{"Authorization": {gateway}, "Portcullis-Subject": {"g-9"}}, verified(), 200, "g-9/gateway/gateway"},
		{"the gateway for a guest, without TLS", behalf(gateway), nil, 403, ""},
		{"the gateway for a guest, without a certificate", behalf(gateway), &tls.ConnectionState{}, 403, ""},
		{"the gateway for a guest, without the scope", behalf(weak), verified(), 403, `Bearer realm="search", error="insufficient_scope", scope="search:read"`},
		{"anyone else for a guest", behalf(user), verified(), 403, ""},
		{"someone who is called gateway", behalf(impostor), verified(), 403, ""},
		{"anyone else for a client alone", http.Header{"Authorization": {user}, "Portcullis-Client": {"kiosk"}}, verified(), 403, ""},
		{"the gateway for two guests", http.Header{"Authorization": {gateway}, "Portcullis-Subject": {"g-9", "g-7"}}, verified(), 403, ""},
		{"the gateway for a client and nobody", http.Header{"Authorization": {gateway}, "Portcullis-Client": {"kiosk"}}, verified(), 403, ""},
		{"the gateway for an empty name", http.Header{"Authorization": {gateway}, "Portcullis-Subject": {""}}, verified(), 403, ""},
		{"the gateway for a name of a kilobyte", http.Header{"Authorization": {gateway}, "Portcullis-Subject": {strings.Repeat("g", 1000)}}, verified(), 403, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header, r.TLS = c.header, c.tls
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

func TestAGuardComparesTheDelegateWithItsCertificate(t *testing.T) {
	issuer := tokentest.New(t)
	for name, status := range map[string]int{"gateway": 200, "search": 403, "": 403} {
		var refused *problem.Problem
		handler := guarded(t, issuer, func(c *token.GuardConfig) {
			c.Peer = func(*tls.ConnectionState) (string, bool) { return name, name != "" }
			c.Refused = func(_ *http.Request, p *problem.Problem) { refused = p }
		})
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = verified()
		r.Header.Set("Authorization", "Bearer "+issuer.Mint(claims{"client_id": "gateway"}))
		r.Header.Set(token.SubjectField, "g-9")
		handler.ServeHTTP(w, r)
		if w.Code != status || (refused != nil) != (status != 200) {
			t.Errorf("with the certificate of %q: %d, told %v", name, w.Code, refused)
		}
		if strings.Contains(w.Body.String(), "certificate") {
			t.Errorf("the private cause is public: %s", w.Body)
		}
	}
}

func TestSpeakingForOneGuestDoesNotChangeTheNextRequest(t *testing.T) {
	issuer := tokentest.New(t)
	handler := guarded(t, issuer, nil)
	bearer := "Bearer " + issuer.Mint(claims{"sub": "gateway", "client_id": "gateway"})
	for _, c := range []struct{ subject, want string }{{"g-9", "g-9/gateway/gateway"}, {"", "gateway/gateway/"}} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = verified()
		r.Header.Set("Authorization", bearer)
		if c.subject != "" {
			r.Header.Set(token.SubjectField, c.subject)
		}
		handler.ServeHTTP(w, r)
		if w.Body.String() != c.want {
			t.Errorf("%q gave %s", c.subject, w.Body)
		}
	}
}

func TestAGuardNeedsAVerifier(t *testing.T) {
	if _, err := token.NewGuard(token.GuardConfig{}); err == nil {
		t.Error("a guard that checks nothing was made")
	}
}
