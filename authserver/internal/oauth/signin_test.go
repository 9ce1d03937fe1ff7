package oauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"portcullis/authserver/internal/pages"
)

const (
	callback  = "https://app.test/callback"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// guest signs somebody in at the browser.
func (s *service) guest() {
	s.people.session = pages.Session{Subject: "u-7", Email: "guest@hotel.test", Verified: true, AuthTime: time.Now().Add(-time.Minute)}
}

// browse asks for a page without following redirects.
func (s *service) browse(t *testing.T, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return send(t, &client, r)
}

// authorize asks for a code with the usual parameters, changed by more.
func (s *service) authorize(t *testing.T, more map[string]string) answer {
	t.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {"booking"}, "redirect_uri": {callback}, "scope": {"openid search:read"}, "state": {"s-1"},
		"nonce": {"n-1"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for name, value := range more {
		q.Set(name, value)
		if value == "" {
			q.Del(name)
		}
	}
	return s.browse(t, "/authorize?"+q.Encode())
}

// sent are the parameters that an answer carries to the client.
func (a answer) sent(t *testing.T) url.Values {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther || u.Scheme+"://"+u.Host+u.Path != callback {
		t.Fatalf("answer %d to %q, want a redirect to the client: %s", a.status, a.header.Get("Location"), a.body)
	}
	return u.Query()
}

// code signs the guest in and returns a code.
func (s *service) code(t *testing.T) string {
	t.Helper()
	s.guest()
	got := s.authorize(t, nil).sent(t)
	if got.Get("state") != "s-1" || got.Get("iss") != s.URL || got.Get("code") == "" {
		t.Fatalf("the client is sent %v", got)
	}
	return got.Get("code")
}

// redeem asks for tokens as the client booking.
func (s *service) redeem(t *testing.T, code, more string) answer {
	t.Helper()
	return s.send(t, s.ask(t, "grant_type=authorization_code&client_id=booking&client_secret="+s.secrets["booking"]+
		"&code="+code+"&redirect_uri="+url.QueryEscape(callback)+"&code_verifier="+verifier+more))
}

// tokens are those of an answer.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string
	Expires int `json:"expires_in"`
}

func (a answer) tokens(t *testing.T) tokens {
	t.Helper()
	var got tokens
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 || got.Access == "" {
		t.Fatalf("answer %d %s", a.status, a.body)
	}
	return got
}

func (s *service) refresh(t *testing.T, refresh, more string) answer {
	t.Helper()
	return s.send(t, s.ask(t, "grant_type=refresh_token&client_id=booking&client_secret="+s.secrets["booking"]+"&refresh_token="+refresh+more))
}

func TestARealClientSignsSomebodyIn(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.guest()
	ctx := oidc.ClientContext(t.Context(), s.Client())
	provider, err := oidc.NewProvider(ctx, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: "booking", ClientSecret: s.secrets["booking"], RedirectURL: callback, Endpoint: provider.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "email", "search:read"},
	}
	pkce := oauth2.GenerateVerifier()
	target, err := url.Parse(config.AuthCodeURL("s-2", oauth2.S256ChallengeOption(pkce), oidc.Nonce("n-2")))
	if err != nil {
		t.Fatal(err)
	}
	got := s.browse(t, target.RequestURI()).sent(t)
	if got.Get("state") != "s-2" {
		t.Errorf("the state came back as %q", got.Get("state"))
	}
	token, err := config.Exchange(ctx, got.Get("code"), oauth2.VerifierOption(pkce))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: "booking"}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Email    string
		Verified bool `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil || id.Subject != "u-7" || id.Nonce != "n-2" || claims.Email != "guest@hotel.test" || !claims.Verified {
		t.Errorf("the ID token says %q, nonce %q, %+v, %v", id.Subject, id.Nonce, claims, err)
	}
	again, err := config.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, s.Client()), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil || again.RefreshToken == token.RefreshToken || again.AccessToken == token.AccessToken {
		t.Errorf("a refresh gave %+v, %v; want new tokens", again, err)
	}
}

func TestACodeIsForWhoAskedForItAndNobodyElse(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	code := s.code(t)
	native := "grant_type=authorization_code&client_id=native&code=" + code + "&redirect_uri=" + url.QueryEscape(callback) + "&code_verifier=" + verifier
	for name, c := range map[string]struct {
		answer answer
		code   string
	}{
		"another verifier":           {s.redeem(t, code, "x"), "invalid_grant"}, // the verifier is the last parameter
		"no verifier":                {s.send(t, s.ask(t, strings.Replace(native, verifier, "", 1))), "invalid_request"},
		"another client":             {s.send(t, s.ask(t, native)), "invalid_grant"},
		"another redirect URI":       {s.send(t, s.ask(t, "grant_type=authorization_code&client_id=booking&client_secret="+s.secrets["booking"]+"&code="+code+"&redirect_uri=https%3A%2F%2Fapp.test%2Fcallback2&code_verifier="+verifier)), "invalid_grant"},
		"no redirect URI":            {s.send(t, s.ask(t, "grant_type=authorization_code&client_id=booking&client_secret="+s.secrets["booking"]+"&code="+code+"&code_verifier="+verifier)), "invalid_grant"},
		"a code that never was":      {s.redeem(t, "pcc_x", ""), "invalid_grant"},
		"another audience":           {s.redeem(t, code, "&resource=payments"), "invalid_target"},
		"a client without the grant": {s.send(t, s.ask(t, "grant_type=authorization_code&client_id=demo&client_secret="+s.secrets["demo"]+"&code="+code+"&code_verifier="+verifier)), "unauthorized_client"},
	} {
		if c.answer.status != 400 || c.answer.code(t) != c.code {
			t.Errorf("%s: %d %s, want %s", name, c.answer.status, c.answer.body, c.code)
		}
	}
	// None of them has used it up.
	got := s.redeem(t, code, "").tokens(t)
	if got.Scope != "openid search:read" || got.ID == "" || got.Refresh == "" {
		t.Errorf("the client gets %+v", got)
	}
}

func TestACodeTwiceEndsAllThatCameOfIt(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	code := s.code(t)
	first := s.redeem(t, code, "").tokens(t)
	if !s.active(t, "gateway", first.Access) {
		t.Fatal("the token is not active at first")
	}
	if a := s.redeem(t, code, ""); a.code(t) != "invalid_grant" {
		t.Errorf("the second time: %d %s", a.status, a.body)
	}
	if s.active(t, "gateway", first.Access) {
		t.Error("the access token lives on")
	}
	if a := s.refresh(t, first.Refresh, ""); a.code(t) != "invalid_grant" {
		t.Errorf("the refresh token lives on: %d %s", a.status, a.body)
	}
}

func TestOfManyWhoRedeemACodeAtOnceOneGetsTokens(t *testing.T) {
	t.Parallel()
	s := start(t, 1000)
	code := s.code(t)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a := s.redeem(t, code, ""); a.status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 50 got tokens", won.Load())
	}
}

func TestARefreshTokenIsGoodOnceAndItsReuseEndsTheFamily(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	first := s.redeem(t, s.code(t), "").tokens(t)
	second := s.refresh(t, first.Refresh, "&scope=search:read").tokens(t)
	if second.Refresh == first.Refresh || second.Scope != "search:read" {
		t.Errorf("the second: %+v", second)
	}
	if a := s.refresh(t, second.Refresh, "&scope=reservations:read"); a.code(t) != "invalid_scope" {
		t.Errorf("more than was granted: %d %s", a.status, a.body)
	}
	stolen := s.send(t, s.ask(t, "grant_type=refresh_token&client_id=native&refresh_token="+second.Refresh))
	if stolen.code(t) != "invalid_grant" {
		t.Errorf("another client's: %d %s", stolen.status, stolen.body)
	}
	third := s.refresh(t, second.Refresh, "").tokens(t)
	if a := s.refresh(t, first.Refresh, ""); a.code(t) != "invalid_grant" {
		t.Errorf("the first once more: %d %s", a.status, a.body)
	}
	if a := s.refresh(t, third.Refresh, ""); a.code(t) != "invalid_grant" {
		t.Errorf("the newest of the family lives on: %d %s", a.status, a.body)
	}
	if s.active(t, "gateway", third.Access) {
		t.Error("the newest access token lives on")
	}
	if text := s.audited(t); !strings.Contains(text, "it was used before") {
		t.Error("the audit does not tell of the reuse")
	}
}

func TestAnAuthorizationGoesWrongWhereItCanBeToldSafely(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.guest()
	for name, more := range map[string]map[string]string{
		"a client that is not there":       {"client_id": "nobody"},
		"no client":                        {"client_id": ""},
		"no redirect URI":                  {"redirect_uri": ""},
		"a redirect URI of somebody else":  {"redirect_uri": "https://evil.test/callback"},
		"a redirect URI below the right":   {"redirect_uri": callback + "/x"},
		"a redirect URI with a user in it": {"redirect_uri": "https://app.test@evil.test/callback"},
		"a client for services":            {"client_id": "demo"},
	} {
		if a := s.authorize(t, more); a.status != 400 || a.header.Get("Location") != "" || !strings.Contains(a.body, "cannot go on") {
			t.Errorf("%s: %d to %q: %s; want a page and no redirect", name, a.status, a.header.Get("Location"), a.body)
		}
	}
	for name, c := range map[string]struct {
		more map[string]string
		code string
	}{
		"no PKCE":                   {map[string]string{"code_challenge": ""}, "invalid_request"},
		"PKCE in the clear":         {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		"a token in the answer":     {map[string]string{"response_type": "token"}, "unsupported_response_type"},
		"a scope it may not have":   {map[string]string{"scope": "openid admin"}, "invalid_scope"},
		"an audience it may not":    {map[string]string{"resource": "payments"}, "invalid_target"},
		"a request object":          {map[string]string{"request": "a.b.c"}, "request_not_supported"},
		"a sign-in that is too old": {map[string]string{"prompt": "none", "max_age": "1"}, "login_required"},
	} {
		got := s.authorize(t, c.more).sent(t)
		if got.Get("error") != c.code || got.Get("state") != "s-1" || got.Get("iss") != s.URL || got.Get("code") != "" {
			t.Errorf("%s: the client is sent %v, want %s", name, got, c.code)
		}
	}
	// The same parameter twice is nobody's request.
	if a := s.browse(t, "/authorize?client_id=booking&client_id=native"); a.status != 400 || a.header.Get("Location") != "" {
		t.Errorf("two clients in one request: %d to %q", a.status, a.header.Get("Location"))
	}
}

func TestWhoIsNotSignedInIsAskedFirst(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	if a := s.authorize(t, nil); a.status != 200 || !strings.HasPrefix(a.body, "sign in, then ") || !strings.Contains(a.body, "client_id=booking") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := s.authorize(t, map[string]string{"prompt": "none"}).sent(t); got.Get("error") != "login_required" {
		t.Errorf("with prompt=none the client is sent %v", got)
	}
	s.guest()
	a := s.authorize(t, map[string]string{"prompt": "login"})
	if !strings.HasPrefix(a.body, "sign in, then ") || strings.Contains(a.body, "prompt") {
		t.Errorf("with prompt=login: %s; want a sign-in that does not ask for another", a.body)
	}
}

func TestANativeAppNeedsNoSecretButPKCE(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.guest()
	const local = "http://127.0.0.1:49152/callback"
	a := s.authorize(t, map[string]string{"client_id": "native", "redirect_uri": local, "scope": "search:read"})
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || u.Host != "127.0.0.1:49152" {
		t.Fatalf("%d to %q", a.status, a.header.Get("Location"))
	}
	form := "grant_type=authorization_code&client_id=native&code=" + u.Query().Get("code") + "&redirect_uri=" + url.QueryEscape(local) + "&code_verifier="
	if a := s.send(t, s.ask(t, form+strings.Repeat("a", 43))); a.code(t) != "invalid_grant" {
		t.Errorf("without the verifier: %d %s", a.status, a.body)
	}
	got := s.send(t, s.ask(t, form+verifier)).tokens(t)
	if got.Refresh == "" || got.ID != "" {
		t.Errorf("the app gets %+v", got)
	}
}

func TestASignOutEndsTheSessionAndItsTokens(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	got := s.redeem(t, s.code(t), "").tokens(t)
	const bye = "https%3A%2F%2Fapp.test%2Fbye"
	if a := s.browse(t, "/logout?client_id=booking&post_logout_redirect_uri="+bye); !strings.HasPrefix(a.body, "sign out? then ") || s.people.ended.Load() != 0 {
		t.Errorf("without an ID token: %s; want to be asked", a.body)
	}
	for name, query := range map[string]string{
		"somewhere else to go":      "client_id=booking&post_logout_redirect_uri=https%3A%2F%2Fevil.test",
		"nobody's place to go":      "post_logout_redirect_uri=" + bye,
		"an access token as hint":   "id_token_hint=" + got.Access,
		"another client's ID token": "client_id=native&id_token_hint=" + got.ID,
	} {
		if a := s.browse(t, "/logout?"+query); a.status != 400 || !strings.HasPrefix(a.body, "This sign-out cannot go on The site") || s.people.ended.Load() != 0 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	a := s.browse(t, "/logout?id_token_hint="+got.ID+"&post_logout_redirect_uri="+bye+"&state=x")
	if a.body != "signed out, then https://app.test/bye?state=x" || s.people.ended.Load() != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s.active(t, "gateway", got.Access) {
		t.Error("the access token outlives the sign-out")
	}
	if a := s.refresh(t, got.Refresh, ""); a.code(t) != "invalid_grant" {
		t.Errorf("the refresh token outlives the sign-out: %d %s", a.status, a.body)
	}
}
