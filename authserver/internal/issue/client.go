package issue

import (
	"slices"
	"time"

	"portcullis/authserver/token"
)

// The grants of a client, in the words of the policy files.
const (
	ClientCredentialsGrant = "client_credentials" // RFC 6749 4.4
	AuthorizationCodeGrant = "authorization_code" // RFC 6749 4.1 with RFC 7636
	RefreshTokenGrant      = "refresh_token"      // RFC 6749 6
	TokenExchangeGrant     = "token_exchange"     // RFC 8693
)

const (
	// defaultLifetime is how long a token lives when the client's grant does
	// not say.
	defaultLifetime = 5 * time.Minute
	// MaxLifetime is the most that any access token lives, whatever a policy says.
	MaxLifetime = time.Hour
	// defaultRefresh is how long a sign-in lives that the policy does not bound.
	defaultRefresh = 12 * time.Hour
)

// LastExpiry is when no verifier takes any token that was issued up to now: so
// long is remembered what is revoked now.
func LastExpiry(now time.Time) time.Time { return now.Add(MaxLifetime + token.Skew) }

// Client is an authenticated client and what it may ask for.
type Client struct {
	ID        string
	Grants    []string
	Audiences []Audience
	// Serves are the audiences whose tokens are meant for this client: those it
	// may exchange and introspect.
	Serves []string
	// Lifetime of its tokens; 0 is five minutes, more than an hour is an hour.
	Lifetime time.Duration
	// Refresh is the life of a sign-in at this client; 0 is twelve hours.
	Refresh time.Duration
	// Public clients have no secret: they prove nothing but PKCE.
	Public bool
	// Redirects and PostLogout are where answers and people may be sent.
	Redirects, PostLogout []string
	// Keys are the public halves for private_key_jwt.
	Keys []token.PublicKey
}

// Audience is whom a client may have tokens for, and with which scopes.
type Audience struct {
	Name   string
	Scopes []string
	// MayAct is the one client that may exchange such a token; empty: any that
	// serves the audience.
	MayAct string
}

// May reports whether the client was granted a grant.
func (c Client) May(grant string) bool { return slices.Contains(c.Grants, grant) }

// receives reports whether a token for one of these audiences is meant for the
// client.
func (c Client) receives(audiences []string) bool {
	return slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(c.Serves, a) })
}

// Concerns reports whether the client may be told of a token (RFC 7662 2.1): it is
// for it, or it is its own.
func (c Client) Concerns(p *token.Principal) bool {
	return p.Client == c.ID || c.receives(p.Audience)
}

func (c Client) lifetime() time.Duration {
	if c.Lifetime <= 0 {
		return defaultLifetime
	}
	return min(c.Lifetime, MaxLifetime)
}

// SignInLife is how long a sign-in at the client lives.
func (c Client) SignInLife() time.Duration {
	if c.Refresh <= 0 {
		return defaultRefresh
	}
	return c.Refresh
}
