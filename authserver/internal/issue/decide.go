package issue

import (
	"slices"
	"strings"
	"time"
)

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
	subject, audience, mayAct string
	scopes                    []string // sorted
	lifetime                  time.Duration
	actors, lineage           []string
	authTime                  time.Time
}

// decide says who may ask for what. It is pure: nothing but its arguments
// counts, and what it returns is never more than the client was granted.
func decide(req Request) (grant, error) {
	if !req.Client.May(ClientCredentialsGrant) {
		return grant{}, refuse(UnauthorizedClient, "the client may not use the grant client_credentials")
	}
	audience, err := target(req.Client, req.Audiences)
	if err != nil {
		return grant{}, err
	}
	scopes, err := narrow(audience.Scopes, req.Scope)
	if err != nil {
		return grant{}, err
	}
	return grant{
		subject: req.Client.ID, audience: audience.Name, mayAct: audience.MayAct, scopes: scopes, lifetime: req.Client.lifetime(),
	}, nil
}

// target finds the one audience asked for. One token is for one audience: with
// several, each of them could replay it to the others.
func target(client Client, audiences []string) (Audience, error) {
	asked := slices.Compact(slices.Sorted(slices.Values(audiences)))
	switch {
	case len(asked) > 1:
		return Audience{}, refuse(InvalidTarget, "a token is for one audience: ask for one at a time")
	case len(asked) == 0 && len(client.Audiences) == 1:
		return client.Audiences[0], nil
	case len(asked) == 0:
		return Audience{}, refuse(InvalidTarget, "the parameter audience is needed: the client has not exactly one audience")
	}
	if a, ok := client.audience(asked[0]); ok {
		return a, nil
	}
	// An audience that does not exist and one that is not granted sound alike:
	// a client learns nothing about others.
	return Audience{}, refuse(InvalidTarget, "the client may not ask for this audience")
}

func (c Client) audience(name string) (Audience, bool) {
	for _, a := range c.Audiences {
		if a.Name == name {
			return a, true
		}
	}
	return Audience{}, false
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

// common are the scopes that both lists have, sorted.
func common(a, b []string) []string {
	var both []string
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	slices.Sort(both)
	return slices.Compact(both)
}
