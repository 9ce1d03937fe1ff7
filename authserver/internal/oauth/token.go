package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
)

// token answers a question: who asks, by which grant, and what it gets.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	q := asked(r)
	client, err := s.cfg.Clients.Authenticate(r.Context(), q.who.id, q.who.secret)
	if err != nil {
		if errors.Is(err, clients.ErrRefused) {
			err = invalidClient()
		}
		s.refuse(w, r, "", err)
		return
	}
	switch q.form.grantType {
	case issue.ClientCredentialsGrant:
	case "":
		s.refuse(w, r, client.ID, badRequest("the parameter grant_type is missing"))
		return
	default:
		s.refuse(w, r, client.ID, &refusal{http.StatusBadRequest, codeUnsupportedGrant, "the only grant_type is client_credentials"})
		return
	}
	t, err := s.cfg.Tokens.ClientCredentials(r.Context(), issue.Request{
		Client: client, Audiences: q.form.audiences, Scope: q.form.scope,
	})
	if err != nil {
		if e, ok := errors.AsType[*issue.Error](err); ok {
			err = &refusal{http.StatusBadRequest, string(e.Code), e.Description}
		}
		s.refuse(w, r, client.ID, err)
		return
	}
	s.requests.WithLabelValues("issued").Inc()
	s.event(r, happening{Outcome: "success", Client: client.ID, TokenID: t.ID, Audience: t.Audience,
		Scopes: t.Scopes, Expires: stamp(t.Expires)})
	writeJSON(w, http.StatusOK, struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Scope   string `json:"scope,omitempty"`
	}{t.Value, "Bearer", int(t.Lifetime.Seconds()), strings.Join(t.Scopes, " ")})
}

// refuse answers with err, which is shown only if it is a *refusal; anything
// else is a fault of ours. client is the one that has authenticated, if any:
// what did not may be a secret typed into the wrong field, so it is not
// recorded.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, client string, err error) {
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		// The cause is ours: a database, a key. Neither holds what was sent.
		s.log.Error("a token request failed", "request_id", requestID(r), "error", fmt.Sprint(err))
		no = &refusal{http.StatusInternalServerError, codeFault, ""}
	}
	s.requests.WithLabelValues(no.code).Inc()
	s.event(r, happening{Outcome: "failure", Client: client, Error: no.code})
	no.write(w)
}
