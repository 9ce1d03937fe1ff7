package e2e

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"portcullis/services/hotel"
)

// site is a web application that others would write against the system: it signs
// people in with go-oidc and x/oauth2, and asks the gateway on their behalf.
type site struct {
	*httptest.Server
	s        *system
	secret   string
	provider *oidc.Provider
	logout   string // the end_session_endpoint
	ctx      context.Context

	mu     sync.Mutex
	visits map[string]*visit // by the value of the site's cookie
}

// visit is what the site knows of one browser.
type visit struct {
	state, nonce, verifier string
	token                  *oauth2.Token
	idToken                string
	subject                string
}

// newSite listens, so that its address can stand in a policy; discover makes it
// work.
func newSite(t *testing.T) *site {
	t.Helper()
	x := &site{visits: map[string]*visit{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", x.home)
	mux.HandleFunc("GET /signin", x.signIn)
	mux.HandleFunc("GET /callback", x.callback)
	mux.HandleFunc("GET /signout", x.signOut)
	mux.HandleFunc("GET /bye", x.bye)
	x.Server = httptest.NewServer(mux)
	t.Cleanup(x.Close)
	return x
}

func (x *site) discover(s *system, secret string) {
	s.t.Helper()
	x.s, x.secret, x.ctx = s, secret, oidc.ClientContext(s.t.Context(), s.newClient())
	var err error
	if x.provider, err = oidc.NewProvider(x.ctx, s.authURL); err != nil {
		s.t.Fatalf("go-oidc's discovery: %v", err)
	}
	var more struct {
		Logout string `json:"end_session_endpoint"`
		Iss    bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := x.provider.Claims(&more); err != nil || more.Logout == "" || !more.Iss {
		s.t.Fatalf("the metadata say %+v, %v", more, err)
	}
	x.logout = more.Logout
}

func (x *site) config() *oauth2.Config {
	return &oauth2.Config{
		ClientID: "web", ClientSecret: x.secret, Endpoint: x.provider.Endpoint(), RedirectURL: x.URL + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "email", "search:read"},
	}
}

const siteCookie = "site"

// of is the visit of the browser that asks; a new one if it has none.
func (x *site) of(w http.ResponseWriter, r *http.Request) *visit {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c, err := r.Cookie(siteCookie); err == nil && x.visits[c.Value] != nil {
		return x.visits[c.Value]
	}
	id, v := rand.Text(), &visit{}
	x.visits[id] = v
	http.SetCookie(w, &http.Cookie{Name: siteCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return v
}

func show(w http.ResponseWriter, status int, title, text, href, label string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Title}}</title>
<h1>{{.Title}}</h1><p>{{.Text}}</p><a href="{{.Href}}">{{.Label}}</a></html>`)).Execute(w, map[string]string{"Title": title, "Text": text, "Href": href, "Label": label})
}

func (x *site) home(w http.ResponseWriter, r *http.Request) {
	x.of(w, r)
	show(w, http.StatusOK, "Rooms by the sea", "Sign in to see what is free.", "/signin", "Sign in")
}

func (x *site) signIn(w http.ResponseWriter, r *http.Request) {
	v := x.of(w, r)
	v.state, v.nonce, v.verifier = rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	http.Redirect(w, r, x.config().AuthCodeURL(v.state, oidc.Nonce(v.nonce), oauth2.S256ChallengeOption(v.verifier), oauth2.SetAuthURLParam("resource", audience)), http.StatusSeeOther)
}

// callback is where a person comes back to. Anybody can send a browser here, so
// nothing is believed that does not fit what the same browser began.
func (x *site) callback(w http.ResponseWriter, r *http.Request) {
	email, err := x.complete(x.of(w, r), r.URL.Query())
	if err != nil {
		show(w, http.StatusForbidden, "You are not signed in", err.Error()+". Start again.", "/signin", "Sign in")
		return
	}
	show(w, http.StatusOK, "Welcome", "You are "+email+".", "/signout", "Sign out")
}

func (x *site) complete(v *visit, q url.Values) (email string, err error) {
	switch {
	case v.state == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(v.state)) != 1:
		return "", errors.New("this is not the sign-in that you began here")
	case q.Get("iss") != x.s.authURL:
		return "", fmt.Errorf("the answer is of issuer %q", q.Get("iss"))
	case q.Get("error") != "":
		return "", errors.New(q.Get("error") + ": " + q.Get("error_description"))
	}
	token, err := x.config().Exchange(x.ctx, q.Get("code"), oauth2.VerifierOption(v.verifier))
	if err != nil {
		return "", err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := x.provider.VerifierContext(x.ctx, &oidc.Config{ClientID: "web"}).Verify(x.ctx, raw)
	if err != nil {
		return "", err
	}
	var claims struct {
		Email    string
		Verified bool `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil || id.Nonce != v.nonce || !claims.Verified {
		return "", fmt.Errorf("the ID token says %+v, nonce %q: %w", claims, id.Nonce, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	// The state stays: what a second answer does, the token service has to show.
	v.token, v.idToken, v.subject = token, raw, id.Subject
	return claims.Email, nil
}

func (x *site) signOut(w http.ResponseWriter, r *http.Request) {
	v := x.of(w, r)
	v.state = rand.Text()
	q := url.Values{"id_token_hint": {v.idToken}, "post_logout_redirect_uri": {x.URL + "/bye"}, "state": {v.state}}
	http.Redirect(w, r, x.logout+"?"+q.Encode(), http.StatusSeeOther)
}

func (x *site) bye(w http.ResponseWriter, r *http.Request) {
	if v := x.of(w, r); v.state == "" || r.URL.Query().Get("state") != v.state {
		show(w, http.StatusForbidden, "Did you want to sign out?", "This is not the sign-out that you began here.", "/", "Back")
		return
	}
	show(w, http.StatusOK, "Good-bye", "You are signed out.", "/", "Back")
}

// only is the visit of the one browser that has signed in so far.
func (x *site) only() visit {
	x.s.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, v := range x.visits {
		if v.token != nil {
			return *v
		}
	}
	x.s.t.Fatal("nobody has signed in at the site")
	return visit{}
}

// TestAPersonUsesASite is the whole way: somebody without an account comes to a
// site, makes one, comes back signed in, and what the site does for them at the
// gateway reaches search as theirs. When they sign out, all of it ends.
func TestAPersonUsesASite(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	s := prepare(t)
	s.addClients(x.URL)
	s.withMail()
	s.startAuth()
	s.startServices()
	s.startGateway()
	x.discover(s, s.secretText("web"))
	p := &person{browser: newBrowser(t, s.authority.CA(), true), s: s, email: "grace@guest.test", password: "four words and a comma"}

	p.open(x.URL)
	p.follow("a")
	p.at(s.authURL + "/signin?continue=")
	p.follow("a[href^='/signup']")
	p.join()
	p.arrives(x.URL + "/callback")
	p.says("Welcome", p.email)

	v := x.only()
	found := s.send("GET", searchTarget, v.token.AccessToken, "")
	var offers hotel.Offers
	if err := decode(strings.NewReader(found.body), &offers); err != nil || found.status != 200 || len(offers.Hotels) == 0 {
		t.Fatalf("search: %d %v %s", found.status, err, found.body)
	}
	own := "/v1/guests/" + v.subject + "/reservations"
	if a := s.send("GET", own, v.token.AccessToken, ""); a.status != 403 || a.code() != "insufficient_scope" {
		t.Errorf("what the site did not ask for: %d %s", a.status, a.body)
	}

	t.Run("x/oauth2 renews the sign-in", func(t *testing.T) {
		old := *v.token
		old.Expiry = time.Now().Add(-time.Minute) // as far as the site knows
		renewed, err := x.config().TokenSource(x.ctx, &old).Token()
		if err != nil || renewed.RefreshToken == old.RefreshToken || renewed.AccessToken == old.AccessToken {
			t.Fatalf("renewing: %+v, %v", renewed, err)
		}
		if a := s.send("GET", searchTarget, renewed.AccessToken, ""); a.status != 200 {
			t.Errorf("search with the renewed token: %d %s", a.status, a.body)
		}
	})

	t.Run("an answer that nobody asked for is refused by the site", func(t *testing.T) {
		p := p.in(t)
		p.open(x.URL + "/callback?code=stolen&state=" + rand.Text() + "&iss=" + url.QueryEscape(s.authURL))
		p.says("You are not signed in", "this is not the sign-in that you began here. Start again.")
	})

	t.Run("a code that comes twice ends the sign-in that it gave", func(t *testing.T) {
		p := p.in(t)
		p.open(x.URL + "/signin") // no page: there is a session
		p.arrives(x.URL + "/callback")
		p.says("Welcome", p.email)
		token := x.only().token.AccessToken
		if a := s.send("GET", searchTarget, token, ""); a.status != 200 {
			t.Fatalf("search: %d %s", a.status, a.body)
		}
		p.open(p.url())
		p.says("You are not signed in", "invalid_grant")
		s.ends(token)
	})

	t.Run("a sign-out at the site ends it everywhere", func(t *testing.T) {
		p := p.in(t)
		p.open(x.URL + "/signin")
		p.arrives(x.URL + "/callback")
		token := *x.only().token
		if a := s.send("GET", searchTarget, token.AccessToken, ""); a.status != 200 {
			t.Fatalf("search: %d %s", a.status, a.body)
		}
		p.follow("a")
		p.arrives(x.URL + "/bye")
		p.says("Good-bye", "You are signed out.")
		s.ends(token.AccessToken)
		var no *oauth2.RetrieveError
		token.Expiry = time.Now().Add(-time.Minute)
		if _, err := x.config().TokenSource(x.ctx, &token).Token(); !errors.As(err, &no) || no.ErrorCode != "invalid_grant" {
			t.Errorf("renewing it: %v", err)
		}
		p.visit("/account")
		p.at(s.authURL + "/signin")
	})

	t.Run("without scripts it is the same", func(t *testing.T) {
		p := &person{browser: newBrowser(t, s.authority.CA(), false), s: s, email: "edsger@guest.test", password: "four words and a comma"}
		p.open(x.URL)
		p.follow("a")
		p.follow("a[href^='/signup']")
		p.join()
		p.arrives(x.URL + "/callback")
		p.says("Welcome", p.email)
		p.follow("a")
		p.arrives(x.URL + "/bye")
		p.says("Good-bye", "You are signed out.")
	})
}

// ends waits until the gateway takes a token no more.
func (s *system) ends(bearer string) {
	s.t.Helper()
	until(s.t, "the gateway refuses a token that was revoked", 5*time.Second, func() bool {
		a := s.send("GET", searchTarget, bearer, "")
		return a.status == 401 && a.code() == "invalid_token"
	})
}
