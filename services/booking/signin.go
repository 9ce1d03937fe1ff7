package booking

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"portcullis/services/hotel"
)

const (
	// waySign begins the names of cookies that hold a sign-in under way. There is
	// one for each, so that two tabs do not break each other's.
	wayCookie = "__Host-signin-"
	wayLife   = 10 * time.Minute
	// wayName is how much of the state names its cookie.
	wayName = 8
)

// way is a sign-in under way. It stays in the browser that began it: a stranger
// cannot have somebody else finish theirs.
type way struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Back     string `json:"b"`
}

// scopes are all that the pages need, the guest's as well as ours to ask for.
func scopes() []string {
	return []string{
		oidc.ScopeOpenID, "email", hotel.ScopeSearchRead, hotel.ScopeReservationsRead, hotel.ScopeReservationsWrite,
		hotel.ScopeChargesWrite, hotel.ScopeChargesRead, hotel.ScopeProfileRead, hotel.ScopeProfileWrite, hotel.ScopeDocumentsRead,
	}
}

// signIn serves GET /signin: it sends the browser to the token service.
func (s *Service) signIn(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	client, _, err := s.signer.client(v.r.Context())
	if err != nil {
		return err
	}
	w := way{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Back: back(q["return"])}
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("begin a sign-in: %w", err)
	}
	setCookie(v.w, wayCookie+w.State[:wayName], base64.RawURLEncoding.EncodeToString(text), int(wayLife.Seconds()))
	return v.send(client.AuthCodeURL(w.State, oidc.Nonce(w.Nonce), oauth2.S256ChallengeOption(w.Verifier),
		oauth2.SetAuthURLParam("audience", s.config.ClientID)))
}

// callback serves GET /signin/callback, to which the token service sends the
// browser back with a code.
func (s *Service) callback(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	w, ok := v.way(q["state"])
	if !ok {
		return &notice{
			status: http.StatusBadRequest, Title: "This sign-in has lost its way",
			Text:   "It was begun in another browser, took more than ten minutes, or was finished already.",
			Advice: "Begin again from here.", SignIn: true,
		}
	}
	// Who answers must be who was asked (RFC 9207), or a code could be lured to
	// another service.
	if q["iss"] != s.config.Issuer {
		return &notice{
			status: http.StatusBadRequest, Title: "This sign-in came from somebody else",
			Text: "The answer was not given by our own sign-in service, so we did not use it.", Advice: "Begin again from here.", SignIn: true,
		}
	}
	if q["error"] != "" || q["code"] == "" {
		s.config.Log.Info("a sign-in was refused", "request_id", v.requestID(), "code", bounded(q["error"]))
		return &notice{
			status: http.StatusForbidden, Title: "The sign-in did not finish",
			Text: "The sign-in service let you go without an answer for us.", Advice: "Try once more.", SignIn: true,
		}
	}
	guest, t, err := v.redeem(q["code"], w)
	if err != nil {
		return err
	}
	if err := s.begin(v.w, v.r, guest, t); err != nil {
		return err
	}
	return v.send(w.Back)
}

// bounded is text from outside, fit for a log.
func bounded(text string) string { return fmt.Sprintf("%.40q", text) }

// way finds the sign-in under way by its state, and forgets it.
func (v *visit) way(state string) (way, bool) {
	var w way
	if len(state) < wayName || strings.ContainsFunc(state, func(c rune) bool { return !('A' <= c && c <= 'Z' || '2' <= c && c <= '7') }) {
		return w, false
	}
	name := wayCookie + state[:wayName]
	raw, err := base64.RawURLEncoding.DecodeString(cookie(v.r, name))
	if err != nil || json.Unmarshal(raw, &w) != nil || w.State == "" || w.Nonce == "" || w.Verifier == "" {
		return w, false
	}
	setCookie(v.w, name, "", -1)
	w.Back = back(w.Back)
	return w, subtle.ConstantTimeCompare([]byte(w.State), []byte(state)) == 1
}

// redeem changes the code for the guest's tokens.
func (v *visit) redeem(code string, w way) (guest string, t tokens, err error) {
	s := v.s
	ctx := s.signer.context(v.r.Context())
	client, provider, err := s.signer.client(ctx)
	if err != nil {
		return "", t, err
	}
	got, err := client.Exchange(ctx, code, oauth2.VerifierOption(w.Verifier))
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refusal.ErrorCode == "invalid_grant" {
		return "", t, &notice{
			status: http.StatusBadRequest, Title: "This sign-in has expired",
			Text: "A code for signing in is good for a minute, and once.", Advice: "Begin again from here.", SignIn: true,
		}
	}
	if err != nil {
		return "", t, unavailable(fmt.Errorf("redeem a code: %w", quiet(err)))
	}
	raw, _ := got.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: s.config.ClientID, Now: s.config.Now}).Verify(ctx, raw)
	if err != nil {
		return "", t, unavailable(fmt.Errorf("an ID token is not what it should be: %w", err))
	}
	var claims struct {
		Email string `json:"email"`
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(w.Nonce)) != 1 || id.Subject == "" {
		return "", t, unavailable(errors.New("an ID token has another nonce than it was asked for with"))
	}
	if err := id.Claims(&claims); err != nil {
		return "", t, unavailable(fmt.Errorf("read an ID token: %w", err))
	}
	return id.Subject, tokens{Access: got.AccessToken, Until: got.Expiry, Refresh: got.RefreshToken, ID: raw, Email: claims.Email}, nil
}

// signedIn serves GET /signed-in, where a sign-in in a second tab ends.
func (s *Service) signedIn(v *visit) error {
	if v.who == nil {
		return v.unknown()
	}
	return v.show(http.StatusOK, "signed-in", view{Title: "You are signed in", Kind: "notice-page"})
}

// signOut serves POST /signout: here at once, then at the token service.
func (s *Service) signOut(v *visit) error {
	next := signedOutPath
	if v.who != nil {
		hint := v.who.tokens.ID
		// Where to go is known before the session is gone, and when the token
		// service does not say it, being signed out here is what counts.
		if _, err := s.signer.discover(v.r.Context()); err == nil && s.signer.endings != "" && hint != "" {
			if u, err := url.Parse(s.signer.endings); err == nil {
				q := u.Query()
				q.Set("id_token_hint", hint)
				q.Set("post_logout_redirect_uri", s.config.PublicURL+signedOutPath)
				u.RawQuery = q.Encode()
				next = u.String()
			}
		}
	}
	v.ended()
	return v.send(next)
}

// signedOut serves GET /signed-out.
func (s *Service) signedOut(v *visit) error {
	return v.show(http.StatusOK, "signed-out", view{Title: "You are signed out", Kind: "notice-page"})
}
