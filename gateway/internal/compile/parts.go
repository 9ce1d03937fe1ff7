package compile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// issuer is a compiled issuer beside what it was made of.
type issuer struct {
	config      token.IssuerConfig // without revocations, which change while they are compared
	ca          string
	revocations *token.Revocations
	then        string
	*token.Issuer
}

// warmUp bounds the first key fetch of a new issuer, which runs beside: an
// issuer may be down now and come later.
const warmUp = 5 * time.Second

// verifier makes one verifier over all issuers. While none of them changes it
// stays, with the tokens it has verified.
func (b *build) verifier() {
	var all []*token.Issuer
	var names []string
	fresh := false
	for _, p := range b.doc.Issuers {
		cfg := token.IssuerConfig{
			Name: p.Name.V, URL: p.URL.V, Audience: p.Audience.V, Profile: p.Profile.V, Algorithms: values(p.Algorithms), JWKS: p.JWKS.V,
			ClientClaim: p.ClientClaim.V, ScopeClaim: p.ScopeClaim.V, Lifetime: p.Lifetime.V,
		}
		if len(p.Require) > 0 {
			cfg.Require = map[string]string{}
			for _, c := range p.Require {
				cfg.Require[c.Name] = c.Value.V
			}
		}
		revocations, err := b.follow(p)
		if err != nil {
			b.wrong(p.Revocations.Pos, CodeIssuer, fmt.Sprintf("issuer %q: %v", cfg.Name, err), "")
			continue
		}
		kept, ok := b.prev.issuers[cfg.Name]
		if !ok || kept.ca != p.CA.V || kept.revocations != revocations || !reflect.DeepEqual(kept.config, cfg) {
			made, err := b.issuer(cfg, p.CA.V, revocations)
			if err != nil {
				b.wrong(p.Pos, CodeIssuer, fmt.Sprintf("issuer %q: %v", cfg.Name, err), "")
				continue
			}
			kept, fresh = issuer{config: cfg, ca: p.CA.V, revocations: revocations, then: p.Revocations.Then.V, Issuer: made}, true
		}
		b.next.issuers[cfg.Name] = kept
		all, names = append(all, kept.Issuer), append(names, cfg.Name)
	}
	b.next.verifierOf = strings.Join(names, "\n")
	if !fresh && b.prev.verifier != nil && b.prev.verifierOf == b.next.verifierOf {
		b.next.verifier = b.prev.verifier
		return
	}
	if len(all) == 0 {
		return
	}
	v, err := token.NewVerifier(token.VerifierConfig{Issuers: all})
	if err != nil {
		b.wrong(b.doc.Issuers[0].Pos, CodeIssuer, err.Error(), "")
	}
	b.next.verifier = v
}

func (b *build) issuer(cfg token.IssuerConfig, ca string, revocations *token.Revocations) (*token.Issuer, error) {
	client, err := b.IssuerHTTP(ca)
	if err != nil {
		return nil, err
	}
	cfg.HTTP, cfg.Revocations = client, revocations
	made, err := token.NewIssuer(cfg)
	if err != nil {
		return nil, err
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), warmUp)
		defer cancel()
		if err := made.Warm(ctx); err != nil {
			b.Log.Warn("the keys of an issuer cannot be had yet; its tokens get 503 until they can", "issuer", cfg.Name, "error", err.Error())
		}
	}()
	return made, nil
}

func (b *build) upstreams() {
	for _, p := range b.doc.Upstreams {
		cfg := upstream.Config{
			Name: p.Name.V, Endpoints: values(p.Endpoints), Connect: p.Connect.V, Attempt: p.Attempt.V,
			Breaker: upstream.BreakerConfig{Samples: p.Breaker.Samples.V, Failures: p.Breaker.Failures.V, Window: p.Breaker.Window.V, Open: p.Breaker.Open.V},
			TLS:     b.UpstreamTLS, Log: b.Log, Metrics: b.UpstreamMetrics,
		}
		kind, audience := upstream.Client, p.Client
		if p.Exchange.Set {
			kind, audience = upstream.Exchange, p.Exchange
		}
		if audience.Set {
			credential, err := b.Credential(kind, audience.V)
			if err != nil {
				b.wrong(audience.Pos, CodeUpstream, fmt.Sprintf("upstream %q: %v", cfg.Name, err), "")
				continue
			}
			cfg.Credential = credential
		}
		kept := b.prev.upstreams[cfg.Name]
		if kept == nil || !kept.Same(cfg) {
			cfg.Previous = kept
			made, err := upstream.New(cfg)
			if err != nil {
				b.wrong(p.Pos, CodeUpstream, err.Error(), "")
				continue
			}
			kept = made
		}
		b.next.upstreams[cfg.Name] = kept
	}
}

// errRecorded says that a mistake was recorded where it was made, so that each
// route that uses the part need not repeat it.
var errRecorded = errors.New("recorded")

// inspector is the WAF of a profile; profiles that stay keep their rule set,
// which takes a tenth of a second and 20 MiB to load.
func (b *build) inspector(name string) (*waf.Inspector, error) {
	i := slices.IndexFunc(b.doc.WAF, func(p *policy.WAFProfile) bool { return p.Name.V == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no WAF profile %q", name)
	}
	p := b.doc.WAF[i]
	profile := waf.Profile{
		Name: name, BlockingParanoia: p.Paranoia.Blocking.V, DetectionParanoia: p.Paranoia.Detection.V,
		Inbound: p.Threshold.Inbound.V, Outbound: p.Threshold.Outbound.V,
		Args: p.Inspect.Args.V, Depth: p.Inspect.Depth.V, Body: p.Inspect.Body.V,
	}
	for _, from := range []*state{b.next, b.prev} {
		if kept := from.inspectors[profile]; kept != nil {
			b.next.inspectors[profile] = kept
			return kept, nil
		}
	}
	made, err := waf.New(waf.Config{Profile: profile, Log: b.Log})
	if err != nil {
		b.wrong(p.Pos, CodeWAF, fmt.Sprintf("WAF profile %q: %v", name, err), "")
		return nil, errRecorded
	}
	b.next.inspectors[profile] = made
	return made, nil
}

// limits splits a route's limits into those that need no principal, which are
// asked before anything is parsed, and the others.
func (b *build) limits(names []string) (source, principal []limit.Limit) {
	for _, name := range names {
		i := slices.IndexFunc(b.doc.Limits, func(l *policy.Limit) bool { return l.Name.V == name })
		if i < 0 {
			continue // Validate has named it
		}
		p := b.doc.Limits[i]
		l := limit.Limit{Name: name, By: limitKey(p.By.V), Count: p.Rate.V.Count, Per: p.Rate.V.Per, Burst: p.Burst.V, Clients: values(p.Clients)}
		if l.By == limit.Source && len(l.Clients) == 0 {
			source = append(source, l)
		} else {
			principal = append(principal, l)
		}
	}
	return source, principal
}

func limitKey(by string) limit.Key {
	switch by {
	case "principal":
		return limit.Principal
	case "client":
		return limit.Client
	case "route":
		return limit.RouteKey
	default:
		return limit.Source
	}
}

func values[T any](vs []policy.Value[T]) []T {
	if len(vs) == 0 {
		return nil
	}
	out := make([]T, len(vs))
	for i, v := range vs {
		out[i] = v.V
	}
	return out
}
