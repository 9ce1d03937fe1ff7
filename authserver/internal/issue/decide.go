package issue

import (
	"slices"
	"strings"
	"time"
)

// ClientCredentialsGrant is the grant of RFC 6749 4.4.
const ClientCredentialsGrant = "client_credentials"

const (
	// defaultLifetime is how long a token lives when the client's grant does
	// not say; maxLifetime is the most any may say, because a signed token
	// cannot be called back.
	defaultLifetime = 5 * time.Minute
	maxLifetime     = time.Hour
)

// Client is an authenticated client and what it may ask for.
type Client struct {
	ID        string
	Grants    []string
	Audiences []Audience
	// Lifetime of its tokens; 0 is five minutes, more than an hour is an hour.
	Lifetime time.Duration
}

// Audience is whom a client may have tokens for, and with which scopes.
type Audience struct {
	Name   string
	Scopes []string
}

// Request is what an authenticated client asks for.
type Request struct {
	Client Client
	// Audiences are the values of the audience and resource parameters, in
	// any order; empty when there were none.
	Audiences []string
	// Scope is the scope parameter as sent: empty asks for all that is granted.
	Scope string
}

// grant is a decision: what the token will say.
type grant struct {
	audience string
	scopes   []string // sorted
	lifetime time.Duration
}

// decide says who may ask for what. It is pure: nothing but its arguments
// counts, and what it returns is never more than the client was granted.
func decide(req Request) (grant, error) {
	if !slices.Contains(req.Client.Grants, ClientCredentialsGrant) {
		return grant{}, refuse(UnauthorizedClient, "the client may not use the grant client_credentials")
	}
	audience, err := target(req)
	if err != nil {
		return grant{}, err
	}
	scopes, err := narrow(audience.Scopes, req.Scope)
	if err != nil {
		return grant{}, err
	}
	lifetime := req.Client.Lifetime
	if lifetime <= 0 {
		lifetime = defaultLifetime
	}
	return grant{audience.Name, scopes, min(lifetime, maxLifetime)}, nil
}

// target finds the one audience asked for. One token is for one audience: with
// several, each of them could replay it to the others.
func target(req Request) (Audience, error) {
	asked := slices.Compact(slices.Sorted(slices.Values(req.Audiences)))
	switch {
	case len(asked) > 1:
		return Audience{}, refuse(InvalidTarget, "a token is for one audience: ask for one at a time")
	case len(asked) == 0 && len(req.Client.Audiences) == 1:
		return req.Client.Audiences[0], nil
	case len(asked) == 0:
		return Audience{}, refuse(InvalidTarget, "the parameter audience is needed: the client has not exactly one audience")
	}
	for _, a := range req.Client.Audiences {
		if a.Name == asked[0] {
			return a, nil
		}
	}
	// An audience that does not exist and one that is not granted sound alike:
	// a client learns nothing about others.
	return Audience{}, refuse(InvalidTarget, "the client may not ask for this audience")
}

// narrow returns the scopes asked for if all of them are granted. Asking for
// more is an error and not silently less (RFC 6749 3.3 allows both): a client
// that believes it has a scope fails later and further from the cause.
func narrow(granted []string, asked string) ([]string, error) {
	if asked == "" {
		return slices.Compact(slices.Sorted(slices.Values(granted))), nil
	}
	scopes := strings.Split(asked, " ")
	for _, s := range scopes {
		if s == "" {
			return nil, refuse(InvalidScope, "scopes are separated by one space")
		}
		if !slices.Contains(granted, s) {
			return nil, refuse(InvalidScope, "the client may not ask for one of these scopes for this audience")
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(scopes))), nil
}
