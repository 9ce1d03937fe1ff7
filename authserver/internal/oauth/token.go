package oauth

import (
	"net/http"
	"strings"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
)

// token answers a token request by its grant.
func (s *Server) token(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	switch f.get("grant_type") {
	case issue.ClientCredentialsGrant:
		return s.clientCredentials(w, r, client, f)
	case issue.AuthorizationCodeGrant:
		if s.cfg.People != nil { // without, what is left of sign-ins waits for them
			return s.redeem(w, r, client, f)
		}
	case issue.RefreshTokenGrant:
		if s.cfg.People != nil {
			return s.refresh(w, r, client, f)
		}
	case token.ExchangeGrant:
		return s.exchange(w, r, client, f)
	case "":
		return badRequest("the parameter grant_type is missing")
	}
	return &refusal{
		status: http.StatusBadRequest, code: codeUnsupportedGrant,
		description: "the grant_type must be client_credentials, authorization_code, refresh_token or " + token.ExchangeGrant,
	}
}

func (s *Server) clientCredentials(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	t, err := s.cfg.Tokens.ClientCredentials(r.Context(), issue.Request{Client: client, Audiences: f.audiences, Scope: f.get("scope")})
	if err != nil {
		return err
	}
	return s.give(w, r, client, tokenAnswer{token: t}, issue.ClientCredentialsGrant)
}

// tokenAnswer is a successful answer of RFC 6749 5.1, with what other standards
// add.
type tokenAnswer struct {
	token                    issue.Token
	refresh, idToken, issued string
}

// give records that a token was issued, and hands it over.
func (s *Server) give(w http.ResponseWriter, r *http.Request, client issue.Client, a tokenAnswer, grant string) error {
	if err := s.record(r, issued(client, grant, a.token)); err != nil {
		return err
	}
	s.requests.WithLabelValues("issued").Inc()
	writeJSON(w, http.StatusOK, struct {
		Token     string `json:"access_token"`
		Issued    string `json:"issued_token_type,omitempty"`
		Type      string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
		Scope     string `json:"scope,omitempty"`
		Refresh   string `json:"refresh_token,omitempty"`
		ID        string `json:"id_token,omitempty"`
	}{
		a.token.Value, a.issued, "Bearer", int(a.token.Lifetime.Seconds()), strings.Join(a.token.Scopes, " "), a.refresh, a.idToken,
	})
	return nil
}
