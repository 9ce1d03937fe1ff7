package oauth

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
)

// redeem gives tokens for a code (RFC 6749 4.1.3, RFC 7636 4.5). What does not
// fit the code does not use it up: a stranger who sees one cannot spoil it.
func (s *Server) redeem(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	if !client.May(issue.AuthorizationCodeGrant) {
		return &issue.Error{Code: issue.UnauthorizedClient, Description: "the client may not use the grant authorization_code"}
	}
	code, verifier := f.get("code"), f.get("code_verifier")
	switch {
	case code == "":
		return badRequest("the parameter code is missing")
	case !isVerifier(verifier):
		return badRequest("the parameter code_verifier is missing or not as RFC 7636 has it")
	}
	now := s.now()
	var answer tokenAnswer
	var next *store.Refresh
	if client.May(issue.RefreshTokenGrant) {
		next = &store.Refresh{Expires: now.Add(client.SignInLife())}
		answer.refresh, next.Hash = newSecret(refreshPrefix)
	}
	// Signed before the transaction in which the code is used up: a signature may
	// come from another process, and every write of the service would wait for it.
	// It is handed out only if the code is good then, too.
	fits := func(c store.Code) error {
		if c.Grant.Client != client.ID || c.Redirect != f.get("redirect_uri") || !matchesChallenge(c.Challenge, verifier) {
			no := invalidGrant()
			no.reason = "the code is another client's, or was asked for with another redirect_uri or code_challenge"
			return no
		}
		return nil
	}
	seen, err := s.cfg.Grants.Code(r.Context(), hash(code), now)
	if err == nil {
		if err = fits(seen); err == nil {
			err = s.sign(r, client, seen.Grant, seen.Grant.Nonce, issue.SignInRequest{Audiences: f.audiences}, &answer)
		}
	}
	if err != nil && !isGone(err) {
		return err
	}
	gone := err // RedeemCode says the same, and ends what has to end
	check := func(c store.Code) error { return cmp.Or(gone, fits(c)) }
	if _, err := s.cfg.Grants.RedeemCode(r.Context(), hash(code), now, check, next); err != nil {
		return s.afterReplay(r, err)
	}
	return s.give(w, r, client, answer, issue.AuthorizationCodeGrant)
}

// sign makes the tokens of a sign-in: the access token, and the ID token if it was
// asked for.
func (s *Server) sign(r *http.Request, client issue.Client, g store.Grant, nonce string, req issue.SignInRequest, answer *tokenAnswer) (err error) {
	req.Client, req.SignIn = client, signIn(g)
	if answer.token, err = s.cfg.Tokens.ForSignIn(r.Context(), req); err != nil {
		return err
	}
	answer.idToken, err = s.idToken(r, client, g, nonce)
	return err
}

// refresh gives new tokens for a refresh token, which is used up (RFC 6749 6, RFC
// 9700 4.14).
func (s *Server) refresh(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	if !client.May(issue.RefreshTokenGrant) {
		return &issue.Error{Code: issue.UnauthorizedClient, Description: "the client may not use the grant refresh_token"}
	}
	if f.get("refresh_token") == "" {
		return badRequest("the parameter refresh_token is missing")
	}
	now := s.now()
	var answer tokenAnswer
	next := store.Refresh{Expires: now.Add(client.SignInLife())} // its sign-in may end it sooner
	answer.refresh, next.Hash = newSecret(refreshPrefix)
	fits := func(g store.Grant) error {
		if g.Client != client.ID {
			no := invalidGrant()
			no.reason = "the refresh token is another client's"
			return no
		}
		return nil
	}
	seen, err := s.cfg.Grants.RefreshGrant(r.Context(), hash(f.get("refresh_token")), now) // signed before, as in redeem
	if err == nil {
		if err = fits(seen); err == nil {
			err = s.sign(r, client, seen, "", issue.SignInRequest{Audiences: f.audiences, Scope: f.get("scope")}, &answer)
		}
	}
	if err != nil && !isGone(err) {
		return err
	}
	gone := err
	check := func(g store.Grant) error { return cmp.Or(gone, fits(g)) }
	if _, err := s.cfg.Grants.RotateRefresh(r.Context(), hash(f.get("refresh_token")), now, check, next); err != nil {
		return s.afterReplay(r, err)
	}
	return s.give(w, r, client, answer, issue.RefreshTokenGrant)
}

// afterReplay brings what a replay has revoked into force at once.
func (s *Server) afterReplay(r *http.Request, err error) error {
	if syncErr := s.cfg.Revocations.Sync(r.Context()); syncErr != nil {
		s.log.Error("revocations were not read again", "request_id", requestID(r), "error", syncErr)
	}
	return err
}

// idToken tells the client who has signed in, if it asked for that.
func (s *Server) idToken(r *http.Request, client issue.Client, g store.Grant, nonce string) (string, error) {
	email, verified, err := s.cfg.People.Person(r.Context(), g.Subject)
	if err != nil {
		return "", err
	}
	return s.cfg.Tokens.IDToken(client, signIn(g), issue.Person{Email: email, Verified: verified, Nonce: nonce})
}

func signIn(g store.Grant) issue.SignIn {
	return issue.SignIn{ID: g.ID, Subject: g.Subject, Audience: g.Audience, Scopes: g.Scopes, AuthTime: g.AuthTime, Expires: g.Expires}
}

// isVerifier knows the characters and lengths of RFC 7636 4.1.
func isVerifier(v string) bool { return len(v) >= 43 && len(v) <= 128 && unreserved(v) }

// isChallenge knows a SHA-256 in base64url (RFC 7636 4.2).
func isChallenge(c string) bool { return len(c) == 43 && unreserved(c) }

func unreserved(text string) bool {
	for _, c := range []byte(text) {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' {
			continue
		}
		return false
	}
	return true
}

func matchesChallenge(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
