package token

import (
	"errors"
	"slices"
	"time"
)

// Principal is who calls, as a verified token tells. It is immutable and
// shared between requests that carry the same token.
type Principal struct {
	// Issuer is the name that configuration gives the issuer, not its URL.
	Issuer string
	// Subject is the sub claim: the person or client acted for.
	Subject string
	// Client is the client_id claim (RFC 9068), or what the profile names.
	Client string
	// Scopes are the granted scopes, sorted.
	Scopes []string
	// Audience is the aud claim.
	Audience []string
	// Actor is the act.sub claim (RFC 8693), the party that acts now; empty
	// without delegation.
	Actor string
	// Actors is the whole act chain, Actor first and the earliest last.
	Actors []string
	// MayAct is the may_act.sub claim: the one client that may act for the
	// subject by this token. Empty names nobody, and forbids nobody.
	MayAct string
	// TokenID is the jti claim; safe to log.
	TokenID string
	// Lineage are the ids this token was made from, oldest first: the sign-in's
	// and those of the tokens it was exchanged from. Whoever revokes one of
	// them revokes this token.
	Lineage []string
	// KeyID names the key that signed the token.
	KeyID string
	// Claims are the declared claims that the token has: string, []string, int64
	// or bool; nil where the token has another type than was declared. They are
	// shared and must not be changed: see Claim.
	Claims map[string]any
	// Issued is the iat claim, Expires the exp claim.
	Issued, Expires time.Time
	// AuthTime is when the person signed in (auth_time); zero if nobody did.
	AuthTime time.Time
}

// Has reports whether the principal was granted scope.
func (p *Principal) Has(scope string) bool {
	_, found := slices.BinarySearch(p.Scopes, scope)
	return found
}

// Claim is a declared claim of the token: a string, []string, int64 or bool,
// by the type it was declared with. It is nil when the token does not have the
// claim or has another type of it; present tells these apart.
func (p *Principal) Claim(name string) (value any, present bool) {
	value, present = p.Claims[name]
	return value, present
}

// narrow takes from p, which nobody else has yet, the scopes that the issuer does
// not grant any more. An issuer that says it is someone else's is not believed.
func (p *Principal) narrow(now *Principal) error {
	if p.Subject != now.Subject || p.Client != now.Client {
		return errors.New("the issuer says that the token is another's than it says itself")
	}
	p.Scopes = slices.DeleteFunc(p.Scopes, func(s string) bool { return !now.Has(s) })
	return nil
}
