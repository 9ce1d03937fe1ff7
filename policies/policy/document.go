// Package policy is what people write: the types of the policy files, how they
// are loaded and how they are checked. It is pure data; nothing here serves a
// request. Every value knows its file, line and column, so that each mistake
// can be shown where it was made.
package policy

import "time"

// Document is all policy files of a folder, merged.
type Document struct {
	// Version is the SHA-256, in hex, over the names and bytes of the files, those
	// that hold tests alone left out; TestVersion is that of the latter.
	Version     string
	TestVersion string
	Gateway     *Gateway // nil when no file has its keys
	Issuers     []*Issuer
	Upstreams   []*Upstream
	Limits      []*Limit
	WAF         []*WAFProfile
	Routes      []*Route
	Clients     []*Client
	Tests       []*Test

	// files are those that policies name (schemas of bodies, patches), by their
	// path below the policy folder.
	files map[string][]byte
	// sources are the files by name, for quoting.
	sources map[string]*source
	// written are the values with references to the environment, see Written.
	written map[Pos]string
	// partial says that something could not be read, so that a name nobody
	// defines may stand in the part that is missing.
	partial bool
}

// File is the content of a file that the policies name, such as the schema of
// a body or a patch.
func (d *Document) File(name string) ([]byte, bool) {
	data, ok := d.files[name]
	return data, ok
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

// Values are the values of a list, without their places; nil for an empty one.
func Values[T any](list []Value[T]) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = v.V
	}
	return out
}

// Gateway is what every route inherits, and what none may undo.
type Gateway struct {
	Pos            Pos
	Hosts          []Value[string]
	TrustedProxies []Value[string] // CIDRs
	// ProxyProtocol are the peers, as CIDRs, that begin each connection with a
	// header of the PROXY protocol.
	ProxyProtocol      []Value[string]
	ClientCertificates []*ClientCertificates
	// RedirectHTTP is the public port of https, to which plain http is sent.
	RedirectHTTP Value[int]
	Defaults     Defaults
	Floor        []*Floor
}

// ClientCertificates is what clients show at the TLS handshake.
type ClientCertificates struct {
	Pos Pos
	// Hosts asks it of those; empty for all that no other entry names.
	Hosts []Value[string]
	// CA is a file of PEM certificates, of the authorities that sign them.
	CA Value[string]
	// Required (default) ends the handshake of a client that shows none.
	Required Value[bool]
}

// Defaults are a route's values where it names none. A scalar of a route
// replaces them, a list adds to them.
type Defaults struct {
	Authenticate []Value[string]
	Limits       []Value[string]
	WAF          []Value[string] // profiles: at most one enforced, others in shadow
	Body         Value[int64]    // bytes
	Timeout      Value[time.Duration]
	Capacity     Value[int] // requests of one route under way at once
	CORS         *CORS
	Response     Fields
}

// Floor is what no route under some paths may leave out.
type Floor struct {
	Pos   Pos
	Paths Value[string]   // "/v1/*": a prefix, or an exact path without the star
	Needs []Value[string] // authenticate, authorize, limits, waf
	// Except are routes that may go without some of Needs for a while.
	Except []*FloorException
}

// FloorException lets one route go below a floor.
type FloorException struct {
	Pos   Pos
	Route Value[string]
	Needs []Value[string]
	Exemption
}

// Exemption is why something is let through that otherwise would not be, who
// answers for it, and until when it is thought right. Its end is reported
// before and after; it never changes a decision.
type Exemption struct {
	Reason, Owner Value[string]
	Expires       Value[time.Time] // the first moment after: midnight UTC at the end of the day written
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
	// Claims are the further claims that conditions may use, each with its type.
	Claims []ClaimType
	// CA is a file of PEM certificates trusted for this issuer, in addition to the system's.
	CA Value[string]
	// Lifetime is the longest exp-iat accepted; default 1h.
	Lifetime Value[time.Duration]
	// Follows says that the issuer has a list of revocations, kept in step with
	// as Revocations says.
	Follows     bool
	Revocations Revocations
	// Introspects says that the issuer is asked about tokens, as Introspection says.
	Introspects   bool
	Introspection Introspection
}

// Introspection is how an issuer is asked what a token is (RFC 7662).
type Introspection struct {
	Pos    Pos
	Client Value[string] // who asks
	// Secret or Key proves it, exactly one: a ${file:PATH}, or the path of a
	// private key in PEM.
	Secret, Key Value[string]
	Endpoint    Value[string]        // URL; found by discovery if absent
	Tokens      Value[string]        // opaque (default) or all
	Cache       Value[time.Duration] // how long an answer is believed; default 30s
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

// ClaimType declares a claim: text, texts (a list), number (whole) or truth.
type ClaimType struct {
	Name string
	Type Value[string]
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

	// Protocol is h2 or h2c; HTTP/1.1 when absent.
	Protocol Value[string]
	Connect  Value[time.Duration] // default 1s
	Attempt  Value[time.Duration] // default: the route's timeout
	Breaker  Breaker
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
	Mode    Value[string]   // enforce (default) or shadow
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
	Responses *Responses // which answers are inspected; nil: none
	// Mode is enforce (default) or shadow.
	Mode Value[string]
	// Proof is on (default), shadow or off.
	Proof      Value[string]
	Patches    []*Patch
	Exclusions []*Exclusion
}

// Patch is a file of rules in the language of the WAF's engine that refuse what
// attacks one weakness, until that is mended.
type Patch struct {
	Pos  Pos
	File Value[string] // waf/NAME.conf, below the policy folder; see Document.File
	Exemption
	// MustPass are requests that pass with the patch, MustBlock are refused with
	// it and pass without. They are written as those of an exclusion.
	MustPass, MustBlock []Value[string]
}

// Exclusion keeps rules of the Core Rule Set from looking at one target.
type Exclusion struct {
	Pos    Pos
	Rules  []Value[int]  // ids
	Target Value[string] // ARGS:json.note: a JSON member as the engine names it
	Exemption
	// MustPass are requests that pass with the exclusion and not without it,
	// MustBlock are refused with it. A text that begins with { or [ is a JSON
	// body, any other a query string.
	MustPass, MustBlock []Value[string]
}

// Paranoia levels, 1 to 4: rules up to Blocking deny, up to Detection are logged.
type Paranoia struct{ Blocking, Detection Value[int] }

// Threshold is the anomaly score from which a request is denied.
type Threshold struct{ Inbound, Outbound Value[int] }

// Inspect bounds what a request may cost to inspect; over a bound it is refused,
// but for Over.
type Inspect struct {
	Args  Value[int]   // default 255
	Depth Value[int]   // nesting of JSON; default 20
	Body  Value[int64] // bytes; default and most 64 KiB
	// Formats are the kinds of bodies taken, of json, form, multipart and xml;
	// default json and form. See Taken.
	Formats []Value[string]
	// Cost is CPU time of the rules for one request, estimated before they are
	// asked; default 20 ms. Over says what becomes of a request that is over it:
	// reject (default) or record.
	Cost Value[time.Duration]
	Over Value[string]
}

// Taken are the kinds of bodies that are taken.
func (i *Inspect) Taken() []string {
	if len(i.Formats) == 0 {
		return []string{"json", "form"}
	}
	return Values(i.Formats)
}

// Responses says which answers are inspected, and how much of each.
type Responses struct {
	Pos   Pos
	Types []Value[string] // media types without parameters
	Body  Value[int64]    // bytes; default 128 KiB, most 512 KiB
}

// Route is what is asked, who may, and where it goes.
type Route struct {
	Pos   Pos
	Name  Value[string]
	Hosts []Value[string] // some of the gateway's; empty: all of them
	Match Value[string]   // GET /v1/hotels/{hotel}, or GET,POST /v1/notes
	// Upstream is the route's own, or its file's; none with Redirect.
	Upstream Value[string]
	Redirect *Redirect
	// Authenticate adds issuers to the defaults; NoAuthenticate is the reason
	// for leaving it out.
	Authenticate   []Value[string]
	NoAuthenticate Value[string]
	Allow          []*Rule
	Deny           []*Rule
	Limits         []Value[string]
	NoLimits       Value[string]
	WAF            []Value[string] // in place of the defaults: at most one enforced, others in shadow
	NoWAF          Value[string]
	Validate       *Validation
	Body           Value[int64]
	Timeout        Value[time.Duration]
	Capacity       Value[int]
	WebSocket      Value[bool]
	EncodedSlash   Value[bool] // %2F in a path is part of a name
	// Compress is for what is text, CompressTypes for other media types; see
	// Compressed.
	Compress      Value[bool]
	CompressTypes []Value[string]
	CORS          *CORS
	Request       *Rewrite
	Response      Fields
	// Log lists the query parameters whose values may stand in events.
	Log []Value[string]
}

// Rule allows or denies. All that it names must hold.
type Rule struct {
	Pos      Pos
	Name     Value[string]   // optional; how tests and metrics call it
	Scopes   []Value[string] // the principal has all of these
	Claims   []ClaimIs       // the token has each claim with one of its values
	Owner    Value[string]   // the path parameter that must equal the principal's subject
	Clients  []Value[string] // the principal's client is one of these
	Methods  []Value[string] // the method is one of these, among the route's
	Networks []Value[string] // the source is in one of these (CIDR)
	Hours    []Hours         // now is within one of these
	When     Value[string]   // a CEL condition; see the reference for its variables
	Anyone   Value[bool]     // matches every request, also without a principal; needs a reason
	Reason   Value[string]
	Mode     Value[string] // enforce (default) or shadow
}

// ClaimIs is a declared claim and the values it may have; a claim of type texts
// must contain one of them.
type ClaimIs struct {
	Pos    Pos
	Name   string
	Values []Value[string]
}

// Hours is a weekly span of time: "mon-fri 08:00-18:00 Europe/Helsinki". One
// whose end is not after its begin goes on past midnight.
type Hours struct {
	Pos        Pos
	Text       string
	Days       [7]bool // by time.Weekday, of the begin
	Begin, End time.Duration
	Zone       *time.Location
}

// Validation is what a request's body must look like.
type Validation struct {
	Pos    Pos
	Schema Value[string] // a JSON Schema file below the policy folder
	Mode   Value[string] // enforce (default) or shadow
}

// CORS is which pages of other origins may use a route (Fetch standard, 3.2).
type CORS struct {
	Pos         Pos
	Origins     []Value[string] // https://app.hotel.test; "*" without Credentials; empty: none
	Headers     []Value[string] // request fields that pages may send beyond the safelisted
	Expose      []Value[string] // response fields that pages may read
	Credentials Value[bool]
	MaxAge      Value[time.Duration] // how long browsers keep a preflight; default 10m
}

// Rewrite is what the upstream sees in place of what was asked.
type Rewrite struct {
	Pos         Pos
	StripPrefix Value[string] // /api: taken off the path
	Path        Value[string] // /v2/hotels/{hotel}: in place of the path; a * takes what the match's * took
	Fields
}

// Fields are header fields set and removed.
type Fields struct {
	Set    []Field
	Remove []Value[string]
}

// Field is a header field and its value, which may hold ${file:PATH} where it
// is sent to an upstream: a secret, read when the policy is compiled.
type Field struct {
	Pos   Pos
	Name  string // as net/http spells it
	Value Value[string]
}

// Redirect sends callers elsewhere.
type Redirect struct {
	Pos    Pos
	To     Value[string] // a path, or a URL with host; may name the match's parameters
	Status Value[int]    // 301, 302, 303, 307 or 308 (default)
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

// Has reports whether the client has a grant.
func (c *Client) Has(grant string) bool { return holds(c.Grants, grant) }
