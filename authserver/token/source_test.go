package token_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

const secret = "pcs_gateway_s3cr3t/+&=%"

// asks is a source of the issuer's tokens for reservations, by a clock of the
// test's. Its tokens live 100 seconds.
func asks(t *testing.T, issuer *tokentest.Issuer, change func(*token.SourceConfig)) (*token.Source, *clock) {
	t.Helper()
	issuer.Client("gateway", secret, "reservations", 100*time.Second, "reservations:read", "reservations:write")
	c := newClock()
	cfg := token.SourceConfig{
		TokenURL: issuer.TokenURL(), ClientID: "gateway", Audience: "reservations", HTTP: issuer.HTTP(), Now: c.Now,
		Secret: func() (string, error) { return secret, nil },
	}
	if change != nil {
		change(&cfg)
	}
	s, err := token.NewSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func get(t *testing.T, s *token.Source) string {
	t.Helper()
	raw, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestASourceGetsTokensThatVerify(t *testing.T) {
	issuer := tokentest.New(t)
	s, _ := asks(t, issuer, func(c *token.SourceConfig) { c.Scopes = []string{"reservations:read"} })
	p, err := issuer.VerifierFor("reservations").Verify(t.Context(), get(t, s), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "gateway" || p.Client != "gateway" || !p.Has("reservations:read") || p.Has("reservations:write") {
		t.Errorf("the principal is %+v", p)
	}
}

func TestAHundredCallersAskOnce(t *testing.T) {
	issuer := tokentest.New(t)
	s, _ := asks(t, issuer, nil)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { get(t, s) })
	}
	all.Wait()
	if n := issuer.Asked(); n != 1 {
		t.Errorf("the token service was asked %d times", n)
	}
}

func TestTheNextTokenIsAskedForInTimeAndNobodyWaits(t *testing.T) {
	issuer := tokentest.New(t)
	s, clock := asks(t, issuer, nil)
	first := get(t, s)
	clock.pass(79 * time.Second)
	if get(t, s) != first || issuer.Asked() != 1 {
		t.Errorf("before four fifths of its life a token was replaced")
	}
	clock.pass(2 * time.Second)
	if get(t, s) != first {
		t.Error("the present token was not served while the next one is asked for")
	}
	s.Settle()
	if get(t, s) == first || issuer.Asked() != 2 {
		t.Error("the next token did not come")
	}
}

func TestWhileTheTokenServiceIsDownTheTokenIsServedToItsEnd(t *testing.T) {
	issuer := tokentest.New(t)
	s, clock := asks(t, issuer, nil)
	first := get(t, s)
	issuer.Down()
	clock.pass(85 * time.Second)
	for range 50 { // in the gap after a failure nothing is asked
		if get(t, s) != first {
			t.Fatal("another token")
		}
		s.Settle()
	}
	if n := issuer.Asked(); n != 2 {
		t.Errorf("the token service that is down was asked %d times", n-1)
	}
	clock.pass(15 * time.Second)
	_, err := s.Token(t.Context())
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.Unavailable || p.Header.Get("Retry-After") == "" {
		t.Fatalf("without a token: %v", err)
	}
	issuer.Up()
	clock.pass(30 * time.Second)
	if get(t, s) == first {
		t.Error("the old token came back")
	}
}

func TestANewSecretNeedsNoRestart(t *testing.T) {
	issuer := tokentest.New(t)
	current := "wrong"
	s, clock := asks(t, issuer, func(c *token.SourceConfig) {
		c.Secret = func() (string, error) { return current, nil }
	})
	_, err := s.Token(t.Context())
	if codeOf(err) != problem.Unavailable || !strings.Contains(err.Error(), "invalid_client") {
		t.Fatalf("with the wrong secret: %v", err)
	}
	current = secret
	clock.pass(time.Second)
	get(t, s)
}

func TestNoErrorOfASourceQuotesASecret(t *testing.T) {
	issuer := tokentest.New(t)
	const canary = "canary-7f3a"
	for name, answer := range map[string]http.HandlerFunc{
		"an error that is not JSON": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, canary, 500) },
		"a token without the field": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"token":"` + canary + `"}`)) },
		"broken JSON":               func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"access_token":"` + canary)) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/"+canary, http.StatusTemporaryRedirect)
		},
		"another type of token": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"` + canary + `","token_type":"DPoP"}`))
		},
		"an answer without end": func(w http.ResponseWriter, _ *http.Request) {
			for range 1 << 10 {
				if _, err := w.Write([]byte(strings.Repeat(canary, 100))); err != nil {
					return
				}
			}
		},
	} {
		server := httptest.NewTLSServer(answer)
		s, _ := asks(t, issuer, func(c *token.SourceConfig) { c.TokenURL, c.HTTP = server.URL, server.Client() })
		_, err := s.Token(t.Context())
		if codeOf(err) != problem.Unavailable || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

func TestATokenThatItsReceiverRefusedIsGivenUp(t *testing.T) {
	s, clock := asks(t, tokentest.New(t), nil)
	first := get(t, s)
	s.Forget("another")
	if get(t, s) != first {
		t.Error("another's token was given up")
	}
	s.Forget(first)
	clock.pass(time.Second)
	if get(t, s) == first {
		t.Error("the refused token was served again")
	}
}

func TestSourcesThatCannotBeSafeAreRefused(t *testing.T) {
	none := func() (string, error) { return "", nil }
	for name, cfg := range map[string]token.SourceConfig{
		"a secret sent without TLS": {TokenURL: "http://auth.test/token", ClientID: "c", Secret: none},
		"no client":                 {TokenURL: "https://auth.test/token", Secret: none},
		"no secret":                 {TokenURL: "https://auth.test/token", ClientID: "c"},
		"a secret and a key":        {TokenURL: "https://auth.test/token", ClientID: "c", Secret: none, Key: &token.ClientKey{}, Issuer: "https://auth.test"},
		"a key without an issuer":   {TokenURL: "https://auth.test/token", ClientID: "c", Key: &token.ClientKey{}},
	} {
		if _, err := token.NewSource(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
