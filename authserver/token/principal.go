package token

import (
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
	// Actor is the act.sub claim (RFC 8693), empty without delegation.
	Actor string
	// TokenID is the jti claim; safe to log.
	TokenID string
	// Expires is the exp claim.
	Expires time.Time
}

// Has reports whether the principal was granted scope.
func (p *Principal) Has(scope string) bool {
	_, found := slices.BinarySearch(p.Scopes, scope)
	return found
}
