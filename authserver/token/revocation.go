package token

import (
	"errors"
	"fmt"
)

// Whoever follows an issuer's revocations shows a token for FeedAudience with
// FeedScope.
const (
	FeedAudience = "authserver"
	FeedScope    = "revocations:read"
	// EraseScope, in a token for the same audience, ends people's accounts.
	EraseScope = "accounts:erase"
)

// The kinds of revocations: what a Revocation's value names.
const (
	RevokeToken   = "token"   // a jti, or the id of a sign-in that stands in lineage
	RevokeClient  = "client"  // a client_id or any act.sub
	RevokeKey     = "key"     // a kid
	RevokeSubject = "subject" // a sub
	RevokeAll     = "all"     // nothing: every token of the issuer
)

// Revocation withdraws tokens before they expire. A token is gone when any
// revocation concerns it.
type Revocation struct {
	// Seq numbers the issuer's revocations, from 1 up.
	Seq   int64  `json:"seq"`
	Kind  string `json:"kind"`
	Value string `json:"value"`
	// Before, in Unix seconds, spares the tokens issued later (iat); kinds
	// token and key have none and spare nothing.
	Before int64 `json:"before"`
	// Until, in Unix seconds, is when the revocation may be forgotten: no token
	// it could concern is alive any more.
	Until int64 `json:"until"`
}

var (
	errRevoked = errors.New("the token has been revoked")
	errTooMany = fmt.Errorf("there are more than %d revocations", maxRevocations)
)

// Check says why a revocation cannot be obeyed. Whoever records one asks first: a
// verifier that is told of one that it cannot obey believes no token any more. A
// kind that is not known is refused and not skipped: a revocation that is read
// and ignored is worse than none.
func (v Revocation) Check() error {
	switch v.Kind {
	case RevokeToken, RevokeKey, RevokeClient, RevokeSubject:
		if err := checkText(v.Value); err != nil {
			return fmt.Errorf("revocation %d: its value %w", v.Seq, err)
		}
	case RevokeAll:
		if v.Value != "" {
			return fmt.Errorf("revocation %d of all tokens names %q", v.Seq, v.Value)
		}
	default:
		return fmt.Errorf("revocation %d is of a kind that is not known here: %.40q", v.Seq, v.Kind)
	}
	if v.Seq < 0 || v.Before < 0 || v.Before > maxSeconds || v.Until <= 0 || v.Until > maxSeconds {
		return fmt.Errorf("revocation %d has a number out of bounds", v.Seq)
	}
	return nil
}
