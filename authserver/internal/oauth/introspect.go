package oauth

import (
	"errors"
	"net/http"
	"strings"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
	"portcullis/services/problem"
)

// introspection is an answer of RFC 7662 2.2. A token that does not concern the
// client is as good as one that does not exist.
type introspection struct {
	Active   bool         `json:"active"`
	Type     string       `json:"token_type,omitempty"`
	Issuer   string       `json:"iss,omitempty"`
	Subject  string       `json:"sub,omitempty"`
	Client   string       `json:"client_id,omitempty"`
	Audience any          `json:"aud,omitempty"` // a string, or a list where there are more (RFC 7519 4.1.3)
	Scope    string       `json:"scope,omitempty"`
	ID       string       `json:"jti,omitempty"`
	Issued   int64        `json:"iat,omitempty"`
	Expires  int64        `json:"exp,omitempty"`
	AuthTime int64        `json:"auth_time,omitempty"`
	Act      *issue.Actor `json:"act,omitempty"`
	MayAct   *issue.Actor `json:"may_act,omitempty"`
}

func (s *Server) introspect(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error {
	if client.Public {
		return refusedPublic()
	}
	raw := f.get("token")
	if raw == "" {
		return badRequest("the parameter token is missing")
	}
	answer, err := s.inspect(r, client, raw)
	if err != nil {
		return err
	}
	s.requests.WithLabelValues("introspected").Inc()
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func (s *Server) inspect(r *http.Request, client issue.Client, raw string) (introspection, error) {
	if strings.HasPrefix(raw, refreshPrefix) {
		g, err := s.cfg.Grants.RefreshGrant(r.Context(), hash(raw), s.now())
		if isGone(err) || err == nil && g.Client != client.ID {
			return introspection{}, nil
		}
		return introspection{
			Active: err == nil, Type: "refresh_token", Issuer: s.cfg.Issuer, Subject: g.Subject, Client: g.Client,
			Scope: strings.Join(g.Scopes, " "), Issued: g.Created.Unix(), Expires: g.Expires.Unix(),
		}, err
	}
	p, err := s.cfg.Verifier.Verify(r.Context(), raw, s.now())
	if err != nil {
		if no, ok := errors.AsType[*problem.Problem](err); ok && no.Code == problem.InvalidToken {
			return introspection{}, nil
		}
		return introspection{}, err
	}
	if p.Issuer != OwnIssuer || !client.Concerns(p) {
		return introspection{}, nil
	}
	return describe(s.cfg.Issuer, p), nil
}

// describe says of a token what the token says itself.
func describe(issuer string, p *token.Principal) introspection {
	a := introspection{
		Active: true, Type: "Bearer", Issuer: issuer, Subject: p.Subject, Client: p.Client, Audience: audience(p.Audience),
		Scope: strings.Join(p.Scopes, " "), ID: p.TokenID, Issued: p.Issued.Unix(), Expires: p.Expires.Unix(),
		Act: issue.Nest(p.Actors), MayAct: issue.MayAct(p.MayAct),
	}
	if !p.AuthTime.IsZero() {
		a.AuthTime = p.AuthTime.Unix()
	}
	return a
}

// audience is aud as a token has it. Several in one text would be the name of none
// of them.
func audience(of []string) any {
	if len(of) == 1 {
		return of[0]
	}
	return of
}
