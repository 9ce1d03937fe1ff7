package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// trades is an exchanger of the gateway's for reservations, by a clock of the
// test's. Its tokens live 100 seconds.
func trades(t testing.TB, issuer *tokentest.Issuer, change func(*token.ExchangerConfig)) (*token.Exchanger, *clock) {
	t.Helper()
	issuer.Client("gateway", secret, "reservations", 100*time.Second, "reservations:read", "search:read")
	issuer.Client("gateway", secret, "search", 100*time.Second, "search:read")
	c := newClock()
	cfg := token.ExchangerConfig{
		TokenURL: issuer.TokenURL(), ClientID: "gateway", Audience: "reservations", HTTP: issuer.HTTP(), Now: c.Now,
		Secret: func() (string, error) { return secret, nil },
	}
	if change != nil {
		change(&cfg)
	}
	e, err := token.NewExchanger(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

func trade(t *testing.T, e *token.Exchanger, subject string) string {
	t.Helper()
	raw, err := e.Token(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnExchangedTokenSaysWhoActsForWhom(t *testing.T) {
	issuer := tokentest.New(t)
	e, _ := trades(t, issuer, nil)
	subject := issuer.Mint(claims{
		"scope": "search:read admin", "act": claims{"sub": "kiosk"}, "lineage": []string{"grant-1"}, "exp": soon(time.Minute),
	})
	p, err := issuer.VerifierFor("reservations").Verify(t.Context(), trade(t, e, subject), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "g-7" || p.Client != "gateway" || !slices.Equal(p.Actors, []string{"gateway", "kiosk"}) ||
		!slices.Equal(p.Scopes, []string{"search:read"}) || !slices.Equal(p.Lineage, []string{"grant-1", "t-1"}) {
		t.Errorf("the principal is %+v", p)
	}
	if p.Expires.Unix() > soon(time.Minute) {
		t.Errorf("it outlives the token it was made from: %s", p.Expires)
	}
}

func TestAThousandRequestsOfOneCallerExchangeOnce(t *testing.T) {
	issuer := tokentest.New(t)
	e, clock := trades(t, issuer, nil)
	subject := issuer.Mint(nil)
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { _, _ = e.Token(t.Context(), subject) })
	}
	all.Wait()
	first := trade(t, e, subject)
	clock.pass(94 * time.Second)
	if trade(t, e, subject) != first || issuer.Exchanges() != 1 {
		t.Errorf("%d exchanges before nineteen twentieths of the token's life", issuer.Exchanges())
	}
	clock.pass(2 * time.Second)
	if trade(t, e, subject) == first || issuer.Exchanges() != 2 {
		t.Errorf("%d exchanges after nineteen twentieths of the token's life", issuer.Exchanges())
	}
}

func TestATokenThatIsAboutToEndIsNotKept(t *testing.T) {
	asked := 0
	e, _ := exchanges(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","expires_in":0}`)
	})
	for range 2 {
		if raw, err := e.Token(t.Context(), "subject"); raw != "t" || err != nil {
			t.Errorf("%q, %v", raw, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

func TestNobodyGetsAnothersToken(t *testing.T) {
	issuer := tokentest.New(t)
	e, _ := trades(t, issuer, func(c *token.ExchangerConfig) { c.Entries = 4 })
	verifier := issuer.VerifierFor("reservations")
	subjects := map[string]string{}
	for n := range 12 { // three times what is remembered
		sub := fmt.Sprint("g-", n)
		subjects[sub] = issuer.Mint(claims{"sub": sub, "jti": sub})
	}
	var all sync.WaitGroup
	for sub, raw := range subjects {
		all.Go(func() {
			for range 5 {
				got, err := e.Token(t.Context(), raw)
				if err != nil {
					t.Error(err)
					return
				}
				if p, err := verifier.Verify(t.Context(), got, time.Now()); err != nil || p.Subject != sub {
					t.Errorf("%q got %+v, %v", sub, p, err)
				}
			}
		})
	}
	all.Wait()
}

func TestAFreshTokenIsNotGivenUpAtOnce(t *testing.T) {
	issuer := tokentest.New(t)
	e, clock := trades(t, issuer, nil)
	subject := issuer.Mint(nil)
	first := trade(t, e, subject)
	e.Forget(subject)
	if trade(t, e, subject) != first {
		t.Error("a receiver that takes no token makes each request an exchange")
	}
	clock.pass(time.Second)
	e.Forget(subject)
	e.Forget("another")
	if trade(t, e, subject) == first || issuer.Exchanges() != 2 {
		t.Errorf("after a 401 of the receiver the token was served again: %d exchanges", issuer.Exchanges())
	}
}

// exchanges is a token endpoint whose answer to an exchange the test decides.
func exchanges(t *testing.T, answer http.HandlerFunc) (*token.Exchanger, *clock) {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	return trades(t, tokentest.New(t), func(c *token.ExchangerConfig) { c.TokenURL, c.HTTP = server.URL, server.Client() })
}

func TestWhatARefusedExchangeMeans(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   problem.Code
	}{
		"the caller's token is no good":     {400, `{"error":"invalid_grant"}`, problem.InvalidToken},
		"the same, as RFC 8693 has it":      {400, `{"error":"invalid_request"}`, problem.InvalidToken},
		"not for this audience":             {400, `{"error":"invalid_target"}`, problem.Forbidden},
		"not these scopes":                  {400, `{"error":"invalid_scope"}`, problem.Forbidden},
		"not this client":                   {400, `{"error":"unauthorized_client"}`, problem.Forbidden},
		"our own secret is wrong":           {401, `{"error":"invalid_client"}`, problem.Unavailable},
		"too often":                         {429, `{"error":"temporarily_unavailable"}`, problem.Unavailable},
		"a fault":                           {500, `canary-7f3a`, problem.Unavailable},
		"a redirect":                        {307, `canary-7f3a`, problem.Unavailable},
		"a token of another type":           {200, `{"access_token":"canary-7f3a","token_type":"DPoP","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, problem.Unavailable},
		"no bearer token (N_A)":             {200, `{"access_token":"canary-7f3a","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, problem.Unavailable},
		"an ID token":                       {200, `{"access_token":"canary-7f3a","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}`, problem.Unavailable},
		"a token of a kind it does not say": {200, `{"access_token":"canary-7f3a","token_type":"Bearer"}`, problem.Unavailable},
		"a token that splits a header":      {200, `{"access_token":"canary-7f3a\r\nX: y","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, problem.Unavailable},
		"a token longer than any header":    {200, `{"access_token":"` + strings.Repeat("canary-7f3a", 1000) + `","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, problem.Unavailable},
		"no token":                          {200, `{"token_type":"Bearer"}`, problem.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			e, clock := exchanges(t, func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Retry-After", "7")
				w.Header().Set("Location", "https://evil.test/")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			for range 3 {
				raw, err := e.Token(t.Context(), "subject-canary")
				p, ok := errors.AsType[*problem.Problem](err)
				if raw != "" || !ok || p.Code != c.want {
					t.Fatalf("%q, %v", raw, err)
				}
				if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds a secret: %v", err)
				}
				if after := p.Header.Get("Retry-After"); c.want == problem.Unavailable && c.status >= 300 && after != "7" || c.want != problem.Unavailable && after != "" {
					t.Errorf("Retry-After is %q", after)
				}
				p.With("X-Mine", "1") // whoever answers adds to it
				if len(p.Header.Values("X-Mine")) != 1 {
					t.Error("callers share one answer")
				}
			}
			if asked != 1 {
				t.Errorf("asked %d times within a second", asked)
			}
			clock.pass(time.Second)
			if _, _ = e.Token(t.Context(), "subject-canary"); asked != 2 {
				t.Errorf("a refusal was remembered beyond a second")
			}
		})
	}
}

func TestTheExchangesUnderWayAreBoundedAndNobodyWaitsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := token.NewExchanger(token.ExchangerConfig{
			TokenURL: "https://auth.test/token", ClientID: "gateway", Audience: "search", HTTP: &http.Client{Transport: silent{}},
			Secret: func() (string, error) { return secret, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var all sync.WaitGroup
		for n := range 256 {
			all.Go(func() {
				if _, err := e.Token(t.Context(), fmt.Sprint("subject-", n)); codeOf(err) != problem.Unavailable || time.Since(begin) != 2*time.Second {
					t.Errorf("after %s: %v", time.Since(begin), err)
				}
			})
		}
		synctest.Wait()
		if _, err := e.Token(t.Context(), "one more"); codeOf(err) != problem.Unavailable || !strings.Contains(err.Error(), "256") || time.Since(begin) != 0 {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.Token(hurried, "subject-1"); codeOf(err) != problem.Unavailable || time.Since(begin) != time.Second {
			t.Errorf("a caller with one second waited %s: %v", time.Since(begin), err)
		}
		all.Wait()
		time.Sleep(10 * time.Second) // the flights end
	})
}

func TestExchangersThatCannotBeSafeAreRefused(t *testing.T) {
	none := func() (string, error) { return "", nil }
	for name, cfg := range map[string]token.ExchangerConfig{
		"tokens sent without TLS": {TokenURL: "http://auth.test/token", ClientID: "c", Secret: none, Audience: "a"},
		"no audience":             {TokenURL: "https://auth.test/token", ClientID: "c", Secret: none},
		"no secret":               {TokenURL: "https://auth.test/token", ClientID: "c", Audience: "a"},
	} {
		if _, err := token.NewExchanger(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
