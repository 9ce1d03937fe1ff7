package tokentest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"portcullis/authserver/internal/issue"
)

// signInLife is how long a sign-in can be renewed.
const signInLife = time.Hour

// person is who sits at the browser.
type person struct{ subject, email string }

// signIn is what a code or a refresh token stands for.
type signIn struct {
	client, redirect, challenge, nonce string
	grant                              issue.SignIn
	who                                person
	ended                              bool
}

// SignsIn lets a client, known by Client, sign people in and renew that. The
// audience of their tokens is one of those it is known with.
func (i *Issuer) SignsIn(id, redirect string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	known := i.clients[id]
	known.redirect = redirect
	known.client.Grants = append(known.client.Grants, issue.AuthorizationCodeGrant, issue.RefreshTokenGrant)
	i.clients[id] = known
}

// Guest says who is signed in at every browser that comes; nobody has to type a
// password here. An empty subject is nobody.
func (i *Issuer) Guest(subject, email string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.guest = person{subject, email}
}

// EndSignIns ends every sign-in: none can be renewed any more.
func (i *Issuer) EndSignIns() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.refreshes {
		s.ended = true
	}
}

// authorize is the authorization endpoint.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i.mu.Lock()
	defer i.mu.Unlock()
	known, found := i.clients[q.Get("client_id")]
	if !found || known.redirect == "" || q.Get("redirect_uri") != known.redirect {
		http.Error(w, "the client and its redirect_uri are not known", http.StatusBadRequest)
		return
	}
	back := url.Values{"iss": {i.URL}, "state": {q.Get("state")}}
	audience, scopes, err := issue.Authorize(issue.Request{Client: known.client, Audiences: q["audience"], Scope: q.Get("scope")})
	switch {
	case err != nil:
		back.Set("error", "invalid_scope")
	case q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("response_type") != "code":
		back.Set("error", "invalid_request")
	case i.guest.subject == "":
		back.Set("error", "login_required")
	default:
		code := rand.Text()
		back.Set("code", code)
		i.codes[code] = &signIn{
			client: known.client.ID, redirect: known.redirect, challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), who: i.guest,
			grant: issue.SignIn{
				ID: rand.Text(), Subject: i.guest.subject, Audience: audience, Scopes: scopes, AuthTime: time.Now(), Expires: time.Now().Add(signInLife),
			},
		}
	}
	http.Redirect(w, r, known.redirect+"?"+back.Encode(), http.StatusSeeOther)
}

// redeem is the authorization code grant.
func (i *Issuer) redeem(w http.ResponseWriter, r *http.Request, client issue.Client) {
	i.mu.Lock()
	s := i.codes[r.PostForm.Get("code")]
	delete(i.codes, r.PostForm.Get("code"))
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if s == nil || s.client != client.ID || s.redirect != r.PostForm.Get("redirect_uri") || s.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		refuse(w, &issue.Error{Code: issue.InvalidGrant, Description: "the code is not good"})
		return
	}
	i.signedIn(w, r, client, s, s.nonce)
}

// renew is the refresh token grant; a token is good once.
func (i *Issuer) renew(w http.ResponseWriter, r *http.Request, client issue.Client) {
	i.mu.Lock()
	s := i.refreshes[r.PostForm.Get("refresh_token")]
	delete(i.refreshes, r.PostForm.Get("refresh_token"))
	ended := s == nil || s.ended || s.client != client.ID
	i.mu.Unlock()
	if ended {
		refuse(w, &issue.Error{Code: issue.InvalidGrant, Description: "the sign-in has ended"})
		return
	}
	i.signedIn(w, r, client, s, "")
}

func (i *Issuer) signedIn(w http.ResponseWriter, r *http.Request, client issue.Client, s *signIn, nonce string) {
	i.mu.Lock()
	issuer := i.issuer
	i.mu.Unlock()
	t, err := issuer.ForSignIn(r.Context(), issue.SignInRequest{Client: client, SignIn: s.grant})
	if err != nil {
		give(w, t, err, "")
		return
	}
	id, err := issuer.IDToken(client, s.grant, issue.Person{Email: s.who.email, Verified: true, Nonce: nonce})
	if err != nil {
		give(w, t, err, "")
		return
	}
	refresh := rand.Text()
	i.mu.Lock()
	i.refreshes[refresh] = s
	i.mu.Unlock()
	body := map[string]any{
		"access_token": t.Value, "token_type": "Bearer", "expires_in": int(t.Lifetime.Seconds()), "refresh_token": refresh,
	}
	if id != "" {
		body["id_token"] = id
	}
	answer(w, http.StatusOK, body)
}

// logout sends the browser where it is asked to.
func (i *Issuer) logout(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, r.URL.Query().Get("post_logout_redirect_uri"), http.StatusSeeOther)
}
