package oauth

import (
	"context"
	"errors"
	"net/http"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
	"portcullis/services/problem"
)

// jwtType may stand where token.AccessTokenType does: ours are JWTs (RFC 8693 3).
const jwtType = "urn:ietf:params:oauth:token-type:jwt"

// exchange gives a client a token to act with on behalf of the subject token's
// subject (RFC 8693). The one who acts is always the client that asks: it has
// proved who it is, so an actor_token could only contradict it.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	if err := checkExchange(f); err != nil {
		return err
	}
	subject, err := s.verify(r.Context(), f.get("subject_token"))
	if err != nil {
		return err
	}
	t, err := s.cfg.Tokens.Exchange(r.Context(), issue.ExchangeRequest{
		Request: issue.Request{Client: client, Audiences: f.audiences, Scope: f.get("scope")}, Subject: subject,
	})
	if err != nil {
		return err
	}
	// Once more: of a client, a key or a subject that was revoked meanwhile, the new
	// token does not tell that it comes from before.
	if _, err := s.verify(r.Context(), f.get("subject_token")); err != nil {
		return err
	}
	return s.give(w, r, client, tokenAnswer{token: t, issued: token.AccessTokenType}, issue.TokenExchangeGrant)
}

func checkExchange(f form) error {
	kind, wanted := f.get("subject_token_type"), f.get("requested_token_type")
	switch {
	case f.get("subject_token") == "":
		return badRequest("the parameter subject_token is missing")
	case kind != token.AccessTokenType && kind != jwtType:
		return badRequest("the subject_token_type must be " + token.AccessTokenType)
	case wanted != "" && wanted != token.AccessTokenType && wanted != jwtType:
		return badRequest("the requested_token_type must be " + token.AccessTokenType)
	case f.get("actor_token") != "" || f.get("actor_token_type") != "":
		return badRequest("who acts is the client itself: leave actor_token out")
	}
	return nil
}

// verify checks a token that a client has brought: ours or one of an issuer in
// the policy, for whatever audience, not expired and not revoked.
func (s *Server) verify(ctx context.Context, raw string) (*token.Principal, error) {
	p, err := s.cfg.Verifier.Verify(ctx, raw, s.now())
	if err == nil {
		return p, nil
	}
	no, ok := errors.AsType[*problem.Problem](err)
	switch {
	case !ok:
		return nil, err
	case no.Code == problem.InvalidToken:
		bad := badRequest("the subject token is not valid here")
		bad.reason = no.Error()
		return nil, bad
	}
	// The keys of another issuer cannot be had: not knowing is not "no".
	return nil, &refusal{
		status: http.StatusServiceUnavailable, code: codeBusy, description: "the subject token cannot be checked right now",
		reason: no.Error(), retry: no.Header.Get("Retry-After"),
	}
}
