// Package compile turns a policy document into a snapshot that serves requests.
// It is the only package that knows every stage. What was learned under the
// snapshot before (counters, breakers, keys, verified tokens, rule sets) is
// handed over wherever its definition stayed the same: saving a file must not
// reset a quota.
package compile

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Codes of the mistakes only compiling finds.
const (
	CodeNothing  = "C001" // no host or no route: nothing to serve
	CodeIssuer   = "C002"
	CodeUpstream = "C003"
	CodeWAF      = "C004"
	CodeRoute    = "C005"
)

// Config is what a Compiler builds with: the parts that outlive a snapshot.
type Config struct {
	// Limits keeps the counters.
	Limits *limit.Engine
	// Gate bounds how many requests are inspected at once, over all routes.
	Gate *waf.Gate
	// Meter gives the meter of a route.
	Meter func(route string) pipeline.Meter
	// IssuerHTTP gives a client that trusts the certificates in the file ca as
	// well as the system's; ca may be empty.
	IssuerHTTP func(ca string) (*http.Client, error)
	// UpstreamTLS is how the gateway shows itself to https endpoints.
	UpstreamTLS *tls.Config
	// UpstreamMetrics counts attempts and breakers.
	UpstreamMetrics *upstream.Metrics
	// Credential gives the tokens of a kind for an audience; the same one each
	// time it is asked for the same, so that tokens outlive a reload.
	Credential func(kind upstream.Kind, audience string) (upstream.Credential, error)
	// Follow makes what follows an issuer's revocations; the compiler runs it
	// for as long as a snapshot needs it. Nil without an error follows nothing.
	Follow func(Feed) (*token.Revocations, error)
	Log    *slog.Logger
}

// Compiler compiles documents.
type Compiler struct{ config Config }

// New returns a compiler.
func New(c Config) (*Compiler, error) {
	if c.Limits == nil || c.Gate == nil || c.Meter == nil || c.IssuerHTTP == nil || c.Credential == nil || c.Follow == nil || c.Log == nil {
		return nil, errors.New("compile: limits, gate, meter, issuer http, credential, follow and log are all required")
	}
	return &Compiler{config: c}, nil
}

// state is what one snapshot hands to the next.
type state struct {
	issuers    map[string]issuer
	followers  map[Feed]*follower
	verifier   *token.Verifier
	verifierOf string // the issuers it stands for
	upstreams  map[string]*upstream.Upstream
	inspectors map[waf.Profile]*waf.Inspector
	capacities map[string]*limit.Capacity
}

// build is one compilation under way.
type build struct {
	Config
	doc      *policy.Document
	prev     *state
	next     *state
	mistakes []error
}

// Compile makes the snapshot of a document that policy.Validate has passed.
// prev may be nil. The error holds every mistake; nothing of prev has changed
// then.
func (c *Compiler) Compile(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error) {
	b := &build{Config: c.config, doc: doc, prev: stateOf(prev), next: &state{
		issuers: map[string]issuer{}, followers: map[Feed]*follower{}, upstreams: map[string]*upstream.Upstream{},
		inspectors: map[waf.Profile]*waf.Inspector{}, capacities: map[string]*limit.Capacity{},
	}}
	if err := Servable(doc); err != nil {
		b.mistakes = append(b.mistakes, err)
	}
	b.verifier()
	b.upstreams()
	s := &pipeline.Snapshot{Version: doc.Version, Hosts: map[string]bool{}, WAFRules: map[string]int{}, State: b.next}
	for _, r := range doc.Routes {
		if route := b.route(r); route != nil {
			s.Routes = append(s.Routes, route)
		}
	}
	s.Unrouted = b.unrouted()
	for profile, inspector := range b.next.inspectors {
		s.WAFRules[profile.Name] = inspector.Rules()
	}
	if len(s.Routes) != len(doc.Routes) && len(b.mistakes) == 0 {
		b.mistakes = append(b.mistakes, errors.New("a route could not be compiled, and no mistake says why"))
	}
	if err := policy.Join(b.mistakes...); err != nil {
		b.abandon()
		return nil, err
	}
	for _, h := range doc.Gateway.Hosts {
		s.Hosts[strings.ToLower(strings.Trim(h.V, "[]"))] = true
	}
	for _, cidr := range doc.Gateway.TrustedProxies {
		prefix, err := netip.ParsePrefix(cidr.V)
		if err != nil {
			return nil, err // Validate has parsed it
		}
		s.Trusted = append(s.Trusted, prefix)
	}
	s.Index()
	return s, nil
}

// Servable tells whether a document has anything to serve. A folder of the token
// service alone is a fine document, but not one for a gateway.
func Servable(doc *policy.Document) error {
	var mistakes []error
	if doc.Gateway == nil || len(doc.Gateway.Hosts) == 0 {
		mistakes = append(mistakes, policy.At(policy.Pos{}, CodeNothing, "no file names the hosts to serve", "add to one file:  hosts: [localhost]"))
	}
	if len(doc.Routes) == 0 {
		mistakes = append(mistakes, policy.At(policy.Pos{}, CodeNothing, "no file holds a route", "run the gateway on a folder with a routes: list; policies/README.md shows the smallest"))
	}
	return policy.Join(mistakes...)
}

// Retire lets go of what prev had and next does not have: its idle connections,
// and revocations that nobody asks for any more. Requests under way keep theirs.
func Retire(prev, next *pipeline.Snapshot) {
	old, now := stateOf(prev), stateOf(next)
	stop(old, now)
	for name, u := range old.upstreams {
		if now.upstreams[name] != u {
			u.Close()
		}
	}
}

// abandon closes what a failed compilation opened.
func (b *build) abandon() {
	stop(b.next, b.prev)
	for name, u := range b.next.upstreams {
		if b.prev.upstreams[name] != u {
			u.Close()
		}
	}
}

func (b *build) wrong(pos policy.Pos, code, what, hint string) {
	b.mistakes = append(b.mistakes, b.doc.Excerpt(policy.At(pos, code, what, hint)))
}
