package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// inquires is a verifier of issuer that may ask it what a token is, by a clock of the
// test's.
func inquires(t *testing.T, issuer *tokentest.Issuer, change func(*token.IssuerConfig)) (*token.Verifier, *clock) {
	t.Helper()
	issuer.Client("gateway", secret, "reservations", 0)
	c := newClock()
	cfg := issuer.Config()
	cfg.Now = c.Now
	cfg.Introspection = &token.IntrospectionConfig{ClientID: "gateway", Secret: func() (string, error) { return secret, nil }}
	if change != nil {
		change(&cfg)
	}
	return verifierOf(t, cfg), c
}

func TestAnOpaqueTokenSaysWhoCalls(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, func(c *token.IssuerConfig) { c.Claims = map[string]token.ClaimType{"tenant": token.ClaimText} })
	raw := issuer.Opaque(claims{
		"token_type": "Bearer", "aud": []string{"other", tokentest.Audience}, "scope": "search:read", "tenant": "north",
		"act": claims{"sub": "search"},
	})
	p, err := verifier.Verify(t.Context(), raw, clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p.Issuer != "hotel" || p.Subject != "g-7" || p.Client != "demo" || p.TokenID != "t-1" || p.Actor != "search" ||
		!p.Has("search:read") || p.Claims["tenant"] != "north" || p.KeyID != "" {
		t.Errorf("the principal is %+v", p)
	}
	again, err := verifier.Verify(t.Context(), raw, clock.Now())
	if err != nil || again != p || issuer.Inquiries() != 1 {
		t.Errorf("the second time the issuer was asked again: %d inquiries, %v", issuer.Inquiries(), err)
	}
}

func TestAnIssuerMayHaveBothKinds(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	for name, raw := range map[string]string{"opaque": issuer.Opaque(nil), "JWT": issuer.Mint(nil)} {
		if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := issuer.Inquiries(); n != 1 {
		t.Errorf("%d inquiries: the JWT is verified here", n)
	}
}

// A token that says whose it is, truly or not, is shown to nobody: it may be good
// somewhere.
func TestATokenThatIsSpelledAsAJWTIsShownToNobody(t *testing.T) {
	issuer, stranger := tokentest.New(t), tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	good := issuer.Mint(nil)
	for name, raw := range map[string]string{
		"of another issuer":       stranger.Mint(nil),
		"of another audience":     issuer.Mint(claims{"aud": "reservations"}),
		"expired":                 issuer.Mint(claims{"exp": soon(-time.Hour), "iat": soon(-2 * time.Hour)}),
		"with a broken signature": good[:len(good)-4] + "AAAA",
		"without a signature":     good[:strings.LastIndexByte(good, '.')+1],
		"with a padded header":    strings.Replace(good, ".", "=.", 1),
		"with an odd payload":     "eyJhbGciOiJFUzI1NiJ9.#.x",
		"that no field can carry": "opaque\x7f",
		"with a space":            "opaque opaque",
	} {
		if _, err := verifier.Verify(t.Context(), raw, clock.Now()); codeOf(err) != problem.InvalidToken {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := issuer.Inquiries(); n != 0 {
		t.Errorf("%d tokens were shown", n)
	}
}

func TestAnAnswerIsReadAsStrictlyAsAJWT(t *testing.T) {
	issuer := tokentest.New(t)
	now := time.Now().Unix()
	for _, c := range []struct {
		name    string
		claims  claims
		because string
	}{
		{"a token for another audience", claims{"aud": "reservations"}, "is not for"},
		{"a token for nobody", claims{"aud": nil}, "aud is missing"},
		{"two audiences in one text", claims{"aud": tokentest.Audience + " reservations"}, "is not for"},
		{"a token of another issuer", claims{"iss": "https://elsewhere.test"}, "another's"},
		{"an active token that has ended", claims{"exp": now - 40, "iat": now - 100}, "expired"},
		{"a token without an end", claims{"exp": nil}, "exp is missing"},
		{"an end in words", claims{"exp": "tomorrow"}, "exp is not a time"},
		{"a token of nobody knows when", claims{"iat": nil}, "iat is missing"},
		{"a token that is not good yet", claims{"nbf": now + 60}, "not good before"},
		{"a token that lives too long", claims{"exp": now + 2*3600}, "longer than"},
		{"a token of no one", claims{"sub": nil}, "sub is missing"},
		{"a token of no client", claims{"client_id": nil}, "client_id is missing"},
		{"a refresh token", claims{"token_type": "refresh_token"}, "not that of a bearer token"},
		{"a refresh token, said otherwise", claims{"token_use": "refresh_token"}, "not that of a bearer token"},
		{"an ID token", claims{"token_use": "id"}, "not that of a bearer token"},
		{"a token that wants a proof", claims{"token_type": "DPoP"}, "not that of a bearer token"},
		{"a token that is bound to a key", claims{"cnf": claims{"x5t#S256": "x"}}, "bound to a key"},
		{"a scope that is none", claims{"scope": "a\"b"}, "not a scope"},
		{"a name in two spellings", claims{"SUB": "admin"}, "another spelling"},
		{"active in another spelling", claims{"ACTIVE": true}, "another spelling"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verifier, clock := inquires(t, issuer, nil)
			raw := issuer.Opaque(c.claims)
			_, err := verifier.Verify(t.Context(), raw, clock.Now())
			want := problem.InvalidToken
			if strings.Contains(c.because, "spelling") {
				want = problem.IssuerUnavailable // what cannot be read says nothing
			}
			if codeOf(err) != want || !strings.Contains(err.Error(), c.because) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), raw) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

// network is a network in the test's own memory, for tests by virtual time.
type network func(*http.Request) (*http.Response, error)

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return n(r)
}

func replies(status int, media, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestAnAnswerThatCannotBeBelievedLetsNobodyIn(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"no answer": func() (*http.Response, error) { return nil, errors.New("refused") },
		"an error":  func() (*http.Response, error) { return replies(500, "application/json", `{"active":true}`), nil },
		"a refusal of who we are": func() (*http.Response, error) {
			return replies(401, "application/json", `{"error":"invalid_client"}`), nil
		},
		"a web page":             func() (*http.Response, error) { return replies(200, "text/html", `{"active":true}`), nil },
		"nothing":                func() (*http.Response, error) { return replies(200, "application/json", ``), nil },
		"active in words":        func() (*http.Response, error) { return replies(200, "application/json", `{"active":"true"}`), nil },
		"neither active nor not": func() (*http.Response, error) { return replies(200, "application/json", `{}`), nil },
		"active twice": func() (*http.Response, error) {
			return replies(200, "application/json", `{"active":false,"active":true}`), nil
		},
		"an answer that has a mebibyte": func() (*http.Response, error) {
			return replies(200, "application/json", `{"active":true,"x":"`+strings.Repeat("x", 1<<20)+`"}`), nil
		},
		"a redirect": func() (*http.Response, error) {
			r := replies(302, "application/json", ``)
			r.Header.Set("Location", "https://evil.test/introspect")
			return r, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			verifier := verifierOf(t, token.IssuerConfig{
				Name: "hotel", URL: "https://issuer.test", Audience: tokentest.Audience,
				HTTP: &http.Client{Transport: network(func(r *http.Request) (*http.Response, error) {
					if r.URL.String() != "https://issuer.test/introspect" {
						t.Errorf("asked at %s", r.URL)
					}
					asked++
					return answer()
				})},
				Introspection: &token.IntrospectionConfig{
					URL: "https://issuer.test/introspect", ClientID: "gateway", Secret: func() (string, error) { return secret, nil },
				},
			})
			_, err := verifier.Verify(t.Context(), "opaque", time.Now())
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != problem.IssuerUnavailable || p.Header.Get("Retry-After") == "" || asked != 1 {
				t.Errorf("%d inquiries, %v", asked, err)
			}
		})
	}
}

func TestAnIssuerCanBeAskedAboutItsJWTsToo(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, func(c *token.IssuerConfig) { c.Introspection.Tokens = token.AllTokens })
	look := func(raw string) (*token.Principal, error) { return verifier.Verify(t.Context(), raw, clock.Now()) }

	good := issuer.Mint(claims{"scope": "a b"})
	if p, err := look(good); err != nil || p.KeyID == "" || !slices.Equal(p.Scopes, []string{"a", "b"}) {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := look(good); err != nil || issuer.Inquiries() != 1 {
		t.Errorf("%d inquiries, %v", issuer.Inquiries(), err)
	}
	forged := good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 86)
	if _, err := look(forged); codeOf(err) != problem.InvalidToken || issuer.Inquiries() != 1 {
		t.Errorf("a forged token was shown to the issuer: %v", err)
	}
	says := func(change claims) string {
		raw := issuer.Mint(claims{"scope": "a b", "jti": fmt.Sprint(change)})
		answer := claims{"sub": "g-7", "client_id": "demo", "aud": tokentest.Audience, "scope": "b c", "iat": soon(0), "exp": soon(time.Minute)}
		for name, value := range change {
			answer[name] = value
		}
		issuer.Know(raw, answer)
		return raw
	}
	if p, err := look(says(nil)); err != nil || !slices.Equal(p.Scopes, []string{"b"}) {
		t.Errorf("a scope that was withdrawn stays, or one that was not given comes: %+v, %v", p, err)
	}
	for name, raw := range map[string]string{
		"revoked": says(claims{"active": false}), "of another subject": says(claims{"sub": "g-9"}), "of another client": says(claims{"client_id": "kiosk"}),
	} {
		if _, err := look(raw); codeOf(err) != problem.InvalidToken {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := issuer.Mint(claims{"jti": "later"})
	if _, err := look(later); err != nil {
		t.Error(err)
	}
	issuer.Know(later, claims{"active": false})
	clock.pass(30 * time.Second)
	if _, err := look(later); codeOf(err) != problem.InvalidToken {
		t.Errorf("a token that was revoked half a minute ago: %v", err)
	}
	issuer.Down()
	if _, err := look(issuer.Mint(claims{"jti": "new"})); codeOf(err) != problem.IssuerUnavailable {
		t.Errorf("while the issuer is down: %v", err)
	}
}

func TestOfSeveralIssuersNoneIsAskedAboutAnothersTokens(t *testing.T) {
	one, other := tokentest.New(t), tokentest.New(t)
	var issuers []*token.Issuer
	for name, i := range map[string]*tokentest.Issuer{"one": one, "other": other} {
		i.Client("gateway", secret, "reservations", 0)
		cfg := i.Config()
		cfg.Name = name
		cfg.Introspection = &token.IntrospectionConfig{ClientID: "gateway", Secret: func() (string, error) { return secret, nil }}
		made, err := token.NewIssuer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		issuers = append(issuers, made)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: issuers})
	if err != nil {
		t.Fatal(err)
	}
	raw := one.Opaque(nil)
	if _, err := verifier.Verify(t.Context(), raw, time.Now()); codeOf(err) != problem.InvalidToken || one.Inquiries()+other.Inquiries() != 0 {
		t.Errorf("a verifier that was not told whom to ask: %v", err)
	}
	for name, want := range map[string]problem.Code{"one": "", "other": problem.InvalidToken, "": problem.InvalidToken} {
		asking, err := verifier.Asking(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // what one said is not taken for the other's word
			if _, err := asking.Verify(t.Context(), raw, time.Now()); codeOf(err) != want {
				t.Errorf("asking %q: %v", name, err)
			}
		}
	}
	if _, err := verifier.Asking("third"); err == nil {
		t.Error("an issuer that is not there is asked")
	}
}

func TestAnInquiryProvesWhoAsks(t *testing.T) {
	var seen *http.Request
	var form url.Values
	transport := network(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		seen = r
		form, _ = url.ParseQuery(string(body))
		return replies(200, "application/json;charset=utf-8", `{"active":false}`), nil
	})
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewClientKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]token.IntrospectionConfig{
		"by secret": {ClientID: "gate:way", Secret: func() (string, error) { return "s+cret", nil }},
		"by key":    {ClientID: "gateway", Key: key},
	} {
		cfg.URL = "https://issuer.test/introspect"
		verifier := verifierOf(t, token.IssuerConfig{
			Name: "hotel", URL: "https://issuer.test", Audience: "a", HTTP: &http.Client{Transport: transport}, Introspection: &cfg,
		})
		if _, err := verifier.Verify(t.Context(), "opaque", time.Now()); codeOf(err) != problem.InvalidToken {
			t.Errorf("%s: %v", name, err)
		}
		id, proof, basic := seen.BasicAuth()
		if form.Get("token") != "opaque" || seen.Method != http.MethodPost || seen.URL.RawQuery != "" {
			t.Errorf("%s: %s %s", name, seen.Method, seen.URL)
		}
		if _, sent := seen.Header["Idempotency-Key"]; name == "by secret" && (!basic || id != "gate%3Away" || proof != "s%2Bcret") ||
			name == "by key" && (basic || form.Get("client_assertion") == "" || form.Get("client_id") != "gateway") {
			t.Errorf("%s: %v %v %v", name, seen.Header, form, sent)
		}
	}
}

func TestIntrospectionThatCannotBeSafeIsRefused(t *testing.T) {
	proof := func() (string, error) { return secret, nil }
	for because, cfg := range map[string]token.IntrospectionConfig{
		"client id":         {Secret: proof},
		"its secret or its": {ClientID: "gateway"},
		"at most for 1m0s":  {ClientID: "gateway", Secret: proof, Believe: time.Hour},
		"use opaque or all": {ClientID: "gateway", Secret: proof, Tokens: "some"},
		"must be https":     {ClientID: "gateway", Secret: proof, URL: "http://issuer.test/introspect"},
	} {
		_, err := token.NewIssuer(token.IssuerConfig{Name: "n", URL: "https://i.test", Audience: "a", Introspection: &cfg})
		if err == nil || !strings.Contains(err.Error(), because) {
			t.Errorf("%s: %v", because, err)
		}
	}
}

func FuzzIntrospectionAnswer(f *testing.F) {
	for _, seed := range []string{`{"active":true}`, `{"active":false,"active":true}`, `{"active":1}`, `[]`, `{"active":true,"exp":1e300}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if active, err := token.ReadAnswer(data); active && err == nil && !bytes.Contains(data, []byte("true")) {
			t.Errorf("%q is taken for active", data)
		}
	})
}
