package issue

import (
	"context"
	"slices"
	"strings"
	"time"
)

// The scopes that are about the person and not about an audience (OpenID
// Connect Core 3.1.2.1 and 5.4). They decide what the ID token says.
const (
	OpenIDScope  = "openid"
	EmailScope   = "email"
	OfflineScope = "offline_access" // taken and ignored: the policy says who gets refresh tokens
)

// SignIn is what a person granted to a client: made at the authorization
// endpoint, and good until it expires or ends.
type SignIn struct {
	// ID stands in the lineage of every token made from it.
	ID       string
	Subject  string
	Audience string
	// Scopes of the audience and of the person, sorted.
	Scopes []string
	// AuthTime is when the person signed in.
	AuthTime time.Time
	Expires  time.Time
}

// Authorize decides on a request at the authorization endpoint: for whom the
// tokens will be, and with which scopes. It is pure; a refusal is an *Error.
func Authorize(req Request) (audience string, scopes []string, err error) {
	if !req.Client.May(AuthorizationCodeGrant) {
		return "", nil, refuse(UnauthorizedClient, "the client may not sign people in")
	}
	a, err := target(req.Client, req.Audiences)
	if err != nil {
		return "", nil, err
	}
	scopes, err = narrow(slices.Concat(a.Scopes, personal()), req.Scope)
	if req.Scope == "" && err == nil {
		scopes, err = narrow(a.Scopes, "") // who asks for nothing in particular asks nothing about the person
	}
	return a.Name, scopes, err
}

func personal() []string { return []string{OpenIDScope, EmailScope, OfflineScope} }

// SignInRequest asks for a token from a sign-in: by its code, or by a refresh
// token.
type SignInRequest struct {
	Client Client
	SignIn SignIn
	// Audiences and Scope narrow what was granted; empty keeps it.
	Audiences []string
	Scope     string
}

// ForSignIn issues an access token for a person. What the policy has taken away
// from the client since the sign-in is not in it. A refusal is an *Error.
func (i *Issuer) ForSignIn(ctx context.Context, req SignInRequest) (Token, error) {
	now := i.now()
	g, err := decideSignIn(req, now)
	if err != nil {
		return Token{}, err
	}
	return i.issue(ctx, req.Client, g, now)
}

func decideSignIn(req SignInRequest, now time.Time) (grant, error) {
	s := req.SignIn
	for _, a := range req.Audiences {
		if a != s.Audience {
			return grant{}, refuse(InvalidTarget, "the person granted another audience")
		}
	}
	audience, ok := req.Client.audience(s.Audience)
	if !ok {
		return grant{}, refuse(InvalidGrant, "the client may not ask for this audience any more")
	}
	granted := common(s.Scopes, slices.Concat(audience.Scopes, personal()))
	scopes := granted
	if req.Scope != "" {
		var err error
		if scopes, err = narrow(granted, req.Scope); err != nil {
			return grant{}, err
		}
	}
	lifetime := min(req.Client.lifetime(), s.Expires.Sub(now))
	if lifetime < time.Second {
		return grant{}, refuse(InvalidGrant, "the sign-in has ended: sign in again")
	}
	return grant{
		subject: s.Subject, audience: audience.Name, mayAct: audience.MayAct, scopes: scopes, lifetime: lifetime,
		lineage: []string{s.ID}, authTime: s.AuthTime,
	}, nil
}

// forAudience are the scopes that an audience understands.
func forAudience(scopes []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(personal(), s) }), " ")
}
