// Package policy is what people write: the types of the policy files, how they
// are loaded and how they are checked. It is pure data; nothing here serves a
// request. Every value knows its file, line and column, so that each mistake
// can be shown where it was made.
package policy

import (
	"slices"
	"time"
)

// Document is all policy files of a folder, merged.
type Document struct {
	// Version is the SHA-256, in hex, over the names and bytes of the files.
	Version   string
	Gateway   *Gateway // nil when no file has its keys
	Issuers   []*Issuer
	Upstreams []*Upstream
	Limits    []*Limit
	WAF       []*WAFProfile
	Routes    []*Route
	Clients   []*Client

	// sources are the files by name, for quoting.
	sources map[string]*source
	// partial says that something could not be read, so that a name nobody
	// defines may stand in the part that is missing.
	partial bool
}

// Pos is a place in a policy file. Line and Column count from 1.
type Pos struct {
	File         string
	Line, Column int
}

// Value is a scalar with its place. Set tells "absent" from the zero value.
type Value[T any] struct {
	V   T
	Pos Pos
	Set bool
}

// Or is the value, or the fallback where the file has none.
func (v Value[T]) Or(fallback T) T {
	if v.Set {
		return v.V
	}
	return fallback
}

// Gateway is what every route inherits, and what none may undo.
type Gateway struct {
	Pos            Pos
	Hosts          []Value[string]
	TrustedProxies []Value[string] // CIDRs
	Defaults       Defaults
	Floor          []*Floor
}

// Defaults are a route's values where it names none. A scalar of a route
// replaces them, a list adds to them.
type Defaults struct {
	Authenticate []Value[string]
	Limits       []Value[string]
	WAF          Value[string]
	Body         Value[int64] // bytes
	Timeout      Value[time.Duration]
	Capacity     Value[int] // requests of one route under way at once
}

// Floor is what no route under some paths may leave out.
type Floor struct {
	Pos   Pos
	Paths Value[string]   // "/v1/*": a prefix, or an exact path without the star
	Needs []Value[string] // authenticate, authorize, limits, waf
}

// Issuer is someone whose tokens are accepted.
type Issuer struct {
	Pos      Pos
	Name     Value[string]
	URL      Value[string] // the exact iss claim
	Audience Value[string] // what aud must contain
	// Profile is rfc9068 (default) or jwt.
	Profile Value[string]
	// Algorithms allowed; default ES256, RS256.
	Algorithms []Value[string]
	// JWKS is the key set's URL; empty for discovery.
	JWKS Value[string]
	// ClientClaim and ScopeClaim are for profile jwt: the claims that hold the
	// client ("azp") and the scopes ("scp").
	ClientClaim, ScopeClaim Value[string]
	// Require are claims a token of profile jwt must carry with exactly this
	// value; it is what keeps ID tokens out (for instance typ: Bearer).
	Require []Claim
	// CA is a file of PEM certificates trusted for this issuer, in addition to the system's.
	CA Value[string]
	// Lifetime is the longest exp-iat accepted; default 1h.
	Lifetime Value[time.Duration]
	// Follows says that the issuer has a list of revocations, kept in step with
	// as Revocations says.
	Follows     bool
	Revocations Revocations
}

// Revocations say how old the list of what an issuer has revoked may grow, and
// what becomes of its tokens then.
type Revocations struct {
	Pos   Pos
	Stale Value[time.Duration] // since the issuer was last heard; 5s to 1h
	Then  Value[string]        // deny: 503 for its tokens; allow: they pass unchecked
}

// Claim is a claim and the value it must have.
type Claim struct {
	Name  string
	Value Value[string]
}

// Upstream is a named group of endpoints.
type Upstream struct {
	Pos       Pos
	Name      Value[string]
	Endpoints []Value[string] // URLs: scheme, host, port only
	// Exchange, Client or NoCredential, exactly one, is what the gateway shows.
	// Exchange is the audience for which the caller's token is exchanged (RFC
	// 8693), Client the one of a token of the gateway's own, NoCredential is why
	// there is none.
	Exchange, Client, NoCredential Value[string]

	Connect Value[time.Duration] // default 1s
	Attempt Value[time.Duration] // default: the route's timeout
	Breaker Breaker
}

// Breaker says when an endpoint is left alone, and for how long.
type Breaker struct {
	Pos      Pos
	Samples  Value[int]           // least requests in Window before it may open; default 20
	Failures Value[int]           // per cent of them that failed; default 50
	Window   Value[time.Duration] // default 10s
	Open     Value[time.Duration] // how long it stays open; default 5s
}

// Limit is how often someone may ask.
type Limit struct {
	Pos     Pos
	Name    Value[string]
	By      Value[string] // source, principal, client, route
	Rate    Value[Rate]
	Burst   Value[int]      // how many at once; default: the rate's count
	Clients []Value[string] // only principals with one of these client ids are counted; empty: all
}

// Rate is Count requests in Per; written 600/1m.
type Rate struct {
	Count int
	Per   time.Duration
}

// WAFProfile is how requests are inspected.
type WAFProfile struct {
	Pos       Pos
	Name      Value[string]
	Paranoia  Paranoia
	Threshold Threshold
	Inspect   Inspect
}

// Paranoia levels, 1 to 4: rules up to Blocking deny, up to Detection are logged.
type Paranoia struct{ Blocking, Detection Value[int] }

// Threshold is the anomaly score from which a request is denied.
type Threshold struct{ Inbound, Outbound Value[int] }

// Inspect bounds what a request may cost to inspect; over a bound it is refused.
type Inspect struct {
	Args  Value[int]   // default and most 255
	Depth Value[int]   // nesting of JSON; default 20
	Body  Value[int64] // bytes; default and most 64 KiB
}

// Route is what is asked, who may, and where it goes.
type Route struct {
	Pos      Pos
	Name     Value[string]
	Match    Value[string] // GET /v1/hotels/{hotel}
	Upstream Value[string] // the route's own, or its file's
	// Authenticate adds issuers to the defaults; NoAuthenticate is the reason
	// for leaving it out.
	Authenticate   []Value[string]
	NoAuthenticate Value[string]
	Allow          []*Rule
	Deny           []*Rule
	Limits         []Value[string]
	NoLimits       Value[string]
	WAF            Value[string]
	NoWAF          Value[string]
	Body           Value[int64]
	Timeout        Value[time.Duration]
	Capacity       Value[int]
	WebSocket      Value[bool]
	// Log lists the query parameters whose values may stand in events.
	Log []Value[string]
}

// Rule allows or denies. All that it names must hold.
type Rule struct {
	Pos     Pos
	Scopes  []Value[string] // the principal has all of these
	Owner   Value[string]   // the path parameter that must equal the principal's subject
	Clients []Value[string] // the principal's client is one of these
	Anyone  Value[bool]     // matches every request, also without a principal; needs a reason
	Reason  Value[string]
}

// Client is an OAuth client of the token service and what it may ask for.
type Client struct {
	Pos       Pos
	Name      Value[string]
	Grants    []Value[string] // client_credentials, authorization_code, refresh_token, token_exchange
	Audiences []*Audience
	Lifetime  Value[time.Duration] // of its tokens; default 5m, at most 1h
	// Redirects and PostLogout are where a browser may be sent after a sign-in
	// and after a sign-out, compared as they stand.
	Redirects, PostLogout []Value[string]
	// Keys are public keys (SPKI, PEM), any of which may sign the client's
	// assertions (private_key_jwt).
	Keys []Value[string]
	// Public clients can keep no secret: a page in a browser, an app on a phone.
	Public Value[bool]
	// Serves are the audiences whose tokens the client may look into and
	// exchange; when empty, the audience of its own name.
	Serves []Value[string]
	// Refresh is how long a sign-in lasts; default 12h, at most 90 days.
	Refresh Value[time.Duration]
}

// Audience is whom a client may ask tokens for, and with which scopes.
type Audience struct {
	Pos    Pos
	Name   Value[string]
	Scopes []Value[string]
	// MayAct is the one client that may act for the subject of these tokens
	// (RFC 8693 4.4); without it, any that serves the audience.
	MayAct Value[string]
}

// Has tells whether the client has a grant.
func (c *Client) Has(grant string) bool {
	return slices.ContainsFunc(c.Grants, func(g Value[string]) bool { return g.V == grant })
}
