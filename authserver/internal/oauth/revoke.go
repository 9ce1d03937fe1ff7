package oauth

import (
	"errors"
	"net/http"
	"strings"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
	"portcullis/services/problem"
)

// revoke ends a token (RFC 7009). A refresh token ends the whole sign-in; an
// access token ends what was exchanged from it too. What is not a token, or not
// any more, is no error (2.2); another client's token is.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	raw := f.get("token")
	if raw == "" {
		return badRequest("the parameter token is missing")
	}
	h := happening{Outcome: success, Client: client.ID}
	var err error
	if strings.HasPrefix(raw, refreshPrefix) {
		err = s.revokeSignIn(r, client, raw, &h)
	} else {
		err = s.revokeToken(r, client, raw, &h)
	}
	if err != nil {
		return err
	}
	if err := s.record(r, h); err != nil {
		return err
	}
	s.requests.WithLabelValues("revoked").Inc()
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) revokeSignIn(r *http.Request, client issue.Client, raw string, h *happening) error {
	now := s.now()
	// An old refresh token still tells whose family is to end.
	g, err := s.cfg.Grants.RefreshGrant(r.Context(), hash(raw), now)
	if errors.Is(err, store.ErrNone) {
		h.Reason = "there was nothing to revoke"
		return nil
	}
	if err != nil && !isGone(err) {
		return err
	}
	if g.Client != client.ID {
		return anothers()
	}
	h.Subject, h.TokenID = g.Subject, g.ID
	if err := s.cfg.Grants.EndGrant(r.Context(), g.ID, now, issue.LastExpiry(now)); err != nil {
		return err
	}
	return s.cfg.Revocations.Sync(r.Context())
}

func (s *Server) revokeToken(r *http.Request, client issue.Client, raw string, h *happening) error {
	p, err := s.cfg.Verifier.Verify(r.Context(), raw, s.now())
	if no, ok := errors.AsType[*problem.Problem](err); ok && no.Code == problem.InvalidToken || err == nil && p.Issuer != OwnIssuer {
		h.Reason = "there was nothing to revoke"
		return nil
	}
	if err != nil {
		return err
	}
	if p.Client != client.ID {
		return anothers()
	}
	h.Subject, h.TokenID = p.Subject, p.TokenID
	return s.cfg.Revocations.Revoke(r.Context(), token.Revocation{Kind: token.RevokeToken, Value: p.TokenID, Until: p.Expires.Add(token.Skew).Unix()})
}

func anothers() error {
	return &issue.Error{Code: issue.UnauthorizedClient, Description: "the token was issued to another client"}
}

func refusedPublic() error {
	return &issue.Error{Code: issue.UnauthorizedClient, Description: "a public client proves nothing and is told nothing of tokens"}
}

func isGone(err error) bool {
	return errors.Is(err, store.ErrNone) || errors.Is(err, store.ErrExpired) || errors.Is(err, store.ErrReplayed)
}
