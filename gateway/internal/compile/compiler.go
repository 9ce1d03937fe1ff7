// Package compile turns a policy document into a snapshot that serves requests.
// It is the only package that knows every stage. What was learned under the
// snapshot before (counters, breakers, keys, verified tokens, rule sets) is
// handed over wherever its definition stayed the same: saving a file must not
// reset a quota.
package compile

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"hash"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/compress"
	"portcullis/gateway/internal/condition"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Codes of the mistakes only compiling finds.
const (
	CodeNothing   = "C001" // no host or no route: nothing to serve
	CodeIssuer    = "C002"
	CodeUpstream  = "C003"
	CodeWAF       = "C004"
	CodeRoute     = "C005"
	CodeCondition = "C006" // a condition in CEL that cannot be compiled, or costs too much
	CodeExclusion = "C007" // an exclusion that is not proved
	CodeSchema    = "C008" // a schema of bodies that cannot be compiled
	CodeSecret    = "C009" // a secret that a field of a request needs cannot be read
	CodeAuthority = "C010" // the authorities of clients' certificates cannot be read
	CodePatch     = "C011" // a patch of a WAF profile that cannot be used
)

// Config is what a Compiler builds with: the parts that outlive a snapshot.
type Config struct {
	// Limits keeps the counters.
	Limits *limit.Engine
	// Gate bounds how many requests are inspected at once, over all routes.
	Gate *waf.Gate
	// Programs, if set, are the compiled proofs of WAF profiles that others have
	// too; WAFMetrics, if set, count what the proofs do.
	Programs   *waf.Programs
	WAFMetrics *waf.Metrics
	// Meter gives the meter of a route.
	Meter func(route string) pipeline.Meter
	// Shadow, if set, gives the counter of what something in mode shadow would
	// have done on a route.
	Shadow func(route, stage, rule string, would pipeline.Kind) pipeline.Counter
	// Forget, if set, ends what Meter and Shadow began: metrics of what no policy
	// names any more would grow with every name there ever was.
	Forget func(Series)
	// IssuerHTTP gives a client that trusts the certificates in the file ca as
	// well as the system's; ca may be empty.
	IssuerHTTP func(ca string) (*http.Client, error)
	// Authorities reads a file of certificates that sign those of clients. Nil
	// reads none, and nobody is signed by them: for checks and tests, which have
	// no connections.
	Authorities func(ca string) ([]*x509.Certificate, error)
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
	// Keys, if set, gives the key set of the issuer of a name in place of a
	// fetch: for tests and explanations, which make their own tokens.
	Keys func(issuer string) func(context.Context) ([]byte, error)
	// RoundTrip, if set, answers for the upstream of a name in place of the
	// network: for tests and explanations.
	RoundTrip func(upstream string) http.RoundTripper
	// Secret, if set, reads the file that a ${file:PATH} of the policy names; nil
	// makes every such reference a mistake. It is asked at each compilation.
	Secret func(path string) (string, error)
	// ClientKey, if set, reads the file of a private key by which the gateway proves
	// who it is to an issuer; nil makes every such file a mistake.
	ClientKey func(path string) (*token.ClientKey, error)
	// Now is the clock that keys age by; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Compiler compiles documents.
type Compiler struct {
	config  Config
	packers *compress.Pool // of all snapshots, so that one bound holds for all
}

// New returns a compiler.
func New(c Config) (*Compiler, error) {
	if c.Limits == nil || c.Gate == nil || c.Meter == nil || c.IssuerHTTP == nil || c.Credential == nil || c.Follow == nil || c.Log == nil {
		return nil, errors.New("compile: limits, gate, meter, issuer http, credential, follow and log are all required")
	}
	if c.Programs == nil {
		c.Programs = waf.NewPrograms()
	}
	return &Compiler{config: c, packers: compress.NewPool()}, nil
}

// state is what one snapshot hands to the next.
type state struct {
	issuers    map[string]issuer
	followers  map[Feed]*follower
	verifier   *token.Verifier
	verifierOf string // the issuers it stands for
	upstreams  map[string]*upstream.Upstream
	inspectors map[profile]*waf.Inspector
	capacities map[string]*limit.Capacity
	conditions map[conditionKey]*condition.Condition
	exemptions []exemption
	series     map[Series]bool
}

// Series is what metrics tell of a route, or with a rule, of one in shadow.
type Series struct{ Route, Stage, Rule string }

// build is one compilation under way.
type build struct {
	Config
	packers  *compress.Pool
	doc      *policy.Document
	prev     *state
	next     *state
	secrets  hash.Hash // over those that were read
	mistakes []error
	// conditions compiles those that are new; nil until there is one.
	conditions *condition.Compiler
	claimTypes map[string]token.ClaimType // see declared
}

// Compile makes the snapshot of a document that policy.Validate has passed.
// prev may be nil. The error holds every mistake; nothing of prev has changed
// then.
func (c *Compiler) Compile(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error) {
	b := &build{Config: c.config, packers: c.packers, doc: doc, prev: stateOf(prev), secrets: sha256.New(), next: &state{
		issuers: map[string]issuer{}, followers: map[Feed]*follower{}, upstreams: map[string]*upstream.Upstream{},
		inspectors: map[profile]*waf.Inspector{}, capacities: map[string]*limit.Capacity{},
		conditions: map[conditionKey]*condition.Condition{},
		exemptions: exemptions(doc), series: map[Series]bool{},
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
	s.HTTPS = 443
	if doc.Gateway != nil {
		s.Response, _ = b.responseFields(doc.Gateway.Defaults.Response)
		s.HTTPS = doc.Gateway.RedirectHTTP.Or(443)
	}
	b.clientCertificates(s)
	b.secrets.Sum(s.Secrets[:0])
	for profile, inspector := range b.next.inspectors {
		if inspector != nil { // else its mistake has been recorded
			s.WAFRules[profile.Name] = inspector.Rules()
		}
	}
	if len(s.Routes) != len(doc.Routes) && len(b.mistakes) == 0 {
		b.mistakes = append(b.mistakes, errors.New("a route could not be compiled, and no mistake says why"))
	}
	err := policy.Join(b.mistakes...)
	if err != nil {
		b.letGo(b.next, b.prev) // what was opened and will not be used
		return nil, err
	}
	for _, h := range doc.Gateway.Hosts {
		s.Hosts[h.V] = true
	}
	if s.Trusted, err = networks(doc.Gateway.TrustedProxies); err != nil {
		return nil, err
	}
	if s.Balancers, err = networks(doc.Gateway.ProxyProtocol); err != nil {
		return nil, err
	}
	s.Index()
	return s, nil
}

func networks(cidrs []policy.Value[string]) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr.V)
		if err != nil {
			return nil, err // Validate has parsed it
		}
		all = append(all, prefix)
	}
	return all, nil
}

// Servable reports whether a document has anything to serve. A folder of the token
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
// revocations that nobody asks for any more, metrics of what is gone. Requests
// under way keep theirs.
func (c *Compiler) Retire(prev, next *pipeline.Snapshot) {
	c.config.letGo(stateOf(prev), stateOf(next))
}

func (c *Config) letGo(from, keep *state) {
	stop(from, keep)
	for name, u := range from.upstreams {
		if keep.upstreams[name] != u {
			u.Retire(keep.upstreams[name])
		}
	}
	for key := range from.inspectors {
		if !keep.inspects(key.Name) {
			c.WAFMetrics.Forget(key.Name)
		}
	}
	for s := range from.series {
		if c.Forget != nil && !keep.series[s] {
			c.Forget(s)
		}
	}
}

// inspects tells whether a profile of a name is loaded.
func (s *state) inspects(name string) bool {
	for key := range s.inspectors {
		if key.Name == name {
			return true
		}
	}
	return false
}

// Inspectors is a snapshot that holds nothing but the rule sets of s. As the
// snapshot before it spares a compilation their loading, and nothing else of s
// is reached.
func Inspectors(s *pipeline.Snapshot) *pipeline.Snapshot {
	return &pipeline.Snapshot{State: &state{inspectors: stateOf(s).inspectors}}
}

func (b *build) wrong(pos policy.Pos, code, what, hint string) {
	b.mistakes = append(b.mistakes, b.doc.Excerpt(policy.At(pos, code, what, hint)))
}
