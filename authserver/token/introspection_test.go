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
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
	if n := testing.AllocsPerRun(100, func() { _, _ = verifier.Verify(t.Context(), raw, clock.at) }); n > 1 && !raceEnabled {
		t.Errorf("a hit allocates %v times", n) // one is t.Context
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

func TestARevokedOpaqueTokenIsNoticedWithinItsBound(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, func(c *token.IssuerConfig) { c.Introspection.Believe = 10 * time.Second })
	raw := issuer.Opaque(claims{"exp": soon(time.Minute)})
	look := func() problem.Code {
		_, err := verifier.Verify(t.Context(), raw, clock.Now())
		return codeOf(err)
	}
	if look() != "" {
		t.Fatal("a good token was refused")
	}
	known := claims{"sub": "g-7", "client_id": "demo", "aud": tokentest.Audience, "iat": soon(0), "exp": soon(time.Minute)}
	issuer.Know(raw, nil) // revoked
	clock.pass(9 * time.Second)
	if look() != "" {
		t.Error("within the bound the issuer is not asked again")
	}
	clock.pass(time.Second)
	if look() != problem.InvalidToken {
		t.Error("after the bound the revoked token still passes")
	}
	issuer.Know(raw, known)
	clock.pass(4 * time.Second)
	if look() != problem.InvalidToken || issuer.Inquiries() != 2 {
		t.Error("a token that was refused is asked about again at once")
	}
	clock.pass(time.Second)
	if look() != "" {
		t.Error("a token that is active again is refused for longer than five seconds")
	}
}

func TestAnOpaqueTokenIsNotBelievedBeyondItsEnd(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	raw := issuer.Opaque(claims{"exp": clock.Now().Unix() + 5})
	for range 2 {
		if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	clock.pass(6 * time.Second)
	issuer.Know(raw, nil)
	if _, err := verifier.Verify(t.Context(), raw, clock.Now()); codeOf(err) != problem.InvalidToken {
		t.Errorf("after its end: %v", err)
	}
}

func TestOneInquiryServesAllWhoShowTheToken(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	raw := issuer.Opaque(nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := issuer.Inquiries(); n != 1 {
		t.Errorf("%d inquiries", n)
	}
}

// asked is an issuer in the test's memory, by virtual time: it knows the tokens
// that begin with "good", and takes a while to say so.
type asked struct {
	while     time.Duration
	down      atomic.Bool
	n         atomic.Int64
	now, most atomic.Int64
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.n.Add(1)
	if at := a.now.Add(1); at > a.most.Load() {
		a.most.Store(at)
	}
	defer a.now.Add(-1)
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	time.Sleep(a.while)
	if a.down.Load() {
		return nil, errors.New("connection refused")
	}
	if !strings.HasPrefix(form.Get("token"), "good") {
		return replies(200, "application/json", `{"active":false}`), nil
	}
	return replies(200, "application/json", fmt.Sprintf(`{"active":true,"sub":"g-7","client_id":"demo","aud":%q,"iat":%d,"exp":%d}`,
		tokentest.Audience, time.Now().Unix(), time.Now().Add(time.Hour).Unix())), nil
}

func (a *asked) verifier(t *testing.T) *token.Verifier {
	return verifierOf(t, token.IssuerConfig{
		Name: "hotel", URL: "https://issuer.test", Audience: tokentest.Audience, HTTP: &http.Client{Transport: a},
		Introspection: &token.IntrospectionConfig{URL: "https://issuer.test/i", ClientID: "gateway", Secret: func() (string, error) { return secret, nil }},
	})
}

func TestWhileTheIssuerIsDownItIsLeftAloneAndNobodyPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &asked{}
		verifier := issuer.verifier(t)
		look := func(raw string) problem.Code {
			_, err := verifier.Verify(t.Context(), raw, time.Now())
			return codeOf(err)
		}
		if look("good-1") != "" {
			t.Fatal("a good token was refused")
		}
		issuer.down.Store(true)
		for n := range 1000 {
			if look(fmt.Sprint("good-new-", n)) != problem.IssuerUnavailable {
				t.Fatal("a token nobody could tell of was not answered with 503")
			}
		}
		if s := verifier.Inquiry(); !s.Open || s.UnderWay != 0 || s.Flooded {
			t.Errorf("the status is %+v", s)
		}
		if n := issuer.n.Load(); n > 20 {
			t.Errorf("an issuer that is down was asked %d times", n)
		}
		if look("good-1") != "" {
			t.Error("an answer is believed for half a minute, also while the issuer is down")
		}
		time.Sleep(30 * time.Second)
		if look("good-1") != problem.IssuerUnavailable {
			t.Error("an old answer lets somebody in")
		}
		issuer.down.Store(false)
		time.Sleep(10 * time.Second)
		if look("good-2") != "" {
			t.Error("an issuer that is back is not asked")
		}
	})
}

// An attacker sends made-up tokens as fast as it can, for ten seconds. The issuer
// is asked about few of them, what is remembered of good tokens stays, and who was
// here before is still served when the answer about them has to be renewed.
func TestAStormOfMadeUpOpaqueTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &asked{while: 20 * time.Millisecond}
		verifier := issuer.verifier(t)
		look := func(raw string) problem.Code {
			_, err := verifier.Verify(t.Context(), raw, time.Now())
			return codeOf(err)
		}
		for n := range 100 {
			if look(fmt.Sprint("good-", n)) != "" {
				t.Fatal("a good token was refused")
			}
		}
		time.Sleep(25 * time.Second) // in the midst of the storm, the answers about them end
		before := issuer.n.Load()
		issuer.most.Store(0)
		var all sync.WaitGroup
		for g := range 40 {
			all.Go(func() {
				for n := range 250 {
					switch code := look(fmt.Sprint("made-up-", g, "-", n)); code {
					case problem.InvalidToken, problem.IssuerUnavailable:
					default:
						t.Errorf("a made-up token got %q", code)
					}
					time.Sleep(40 * time.Millisecond)
				}
			})
		}
		refused := 0
		all.Go(func() {
			for range 10 {
				time.Sleep(time.Second)
				for n := range 100 {
					if look(fmt.Sprint("good-", n)) != "" {
						refused++
					}
				}
			}
		})
		all.Wait()
		storm := issuer.n.Load() - before - 100
		t.Logf("of 10,000 made-up tokens the issuer was asked about %d, at most %d at once; of 1,000 requests with good tokens %d were refused", storm, issuer.most.Load(), refused)
		if storm > 200+24+15*50 { // the allowance, those under way, and fifty a second
			t.Errorf("the issuer was asked about %d made-up tokens", storm)
		}
		if issuer.most.Load() > 32 {
			t.Errorf("%d inquiries at once", issuer.most.Load())
		}
		if refused != 0 {
			t.Errorf("%d requests with good tokens were refused", refused)
		}
	})
}

// Made-up tokens that a slow issuer takes its time about do not keep those out who
// were here a moment ago.
func TestWhoWasHereIsAskedAboutWhileStrangersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &asked{}
		verifier := issuer.verifier(t)
		if _, err := verifier.Verify(t.Context(), "good", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // the answer about it ends
		issuer.while = time.Second
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() { _, _ = verifier.Verify(t.Context(), fmt.Sprint("made-up-", n), time.Now()) })
		}
		synctest.Wait()
		if _, err := verifier.Verify(t.Context(), "good", time.Now()); err != nil {
			t.Errorf("the token that was good: %v", err)
		}
		if _, err := verifier.Verify(t.Context(), "good-new", time.Now()); err != nil {
			t.Errorf("a new one, once the others are answered: %v", err)
		}
		all.Wait()
		if n := issuer.most.Load(); n > 25 {
			t.Errorf("the issuer was asked about %d tokens at once", n)
		}
	})
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
