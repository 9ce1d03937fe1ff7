package compile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/upstream"
	"portcullis/policies/policy"
)

// issuer is a compiled issuer beside what it was made of.
type issuer struct {
	config      token.IssuerConfig // without revocations, which change while they are compared, and introspection
	asked       introspection
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
			Name: p.Name.V, URL: p.URL.V, Audience: p.Audience.V, Profile: p.Profile.V, Algorithms: policy.Values(p.Algorithms), JWKS: p.JWKS.V,
			ClientClaim: p.ClientClaim.V, ScopeClaim: p.ScopeClaim.V, Lifetime: p.Lifetime.V, Claims: claimTypes(p),
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
		asked, introspection, ok := b.introspection(p)
		if !ok {
			continue
		}
		kept, ok := b.prev.issuers[cfg.Name]
		if !ok || kept.asked != asked || kept.ca != p.CA.V || kept.revocations != revocations || !reflect.DeepEqual(kept.config, cfg) {
			made, err := b.issuer(cfg, p.CA.V, revocations, introspection)
			if err != nil {
				b.wrong(p.Pos, CodeIssuer, fmt.Sprintf("issuer %q: %v", cfg.Name, err), "")
				continue
			}
			kept, fresh = issuer{config: cfg, asked: asked, ca: p.CA.V, revocations: revocations, then: p.Revocations.Then.V, Issuer: made}, true
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

func (b *build) issuer(cfg token.IssuerConfig, ca string, revocations *token.Revocations, introspection *token.IntrospectionConfig) (*token.Issuer, error) {
	client, err := b.IssuerHTTP(ca)
	if err != nil {
		return nil, err
	}
	cfg.HTTP, cfg.Revocations, cfg.Introspection, cfg.Now = client, revocations, introspection, b.Now
	if b.Keys != nil {
		cfg.Keys = b.Keys(cfg.Name)
	}
	made, err := token.NewIssuer(cfg)
	if err != nil {
		return nil, err
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), warmUp)
		defer cancel()
		if err := made.Warm(ctx); err != nil {
			b.Log.Warn("the keys of an issuer cannot be fetched yet; its tokens get 503 until they can", "issuer", cfg.Name, "error", err.Error())
		}
	}()
	return made, nil
}

func (b *build) upstreams() {
	for _, p := range b.doc.Upstreams {
		cfg := upstream.Config{
			Name: p.Name.V, Endpoints: policy.Values(p.Endpoints), Protocol: upstream.Protocol(p.Protocol.V), Connect: p.Connect.V, Attempt: p.Attempt.V,
			Breaker: upstream.BreakerConfig{Samples: p.Breaker.Samples.V, Failures: p.Breaker.Failures.V, Window: p.Breaker.Window.V, Open: p.Breaker.Open.V},
			TLS:     b.UpstreamTLS, Log: b.Log, Metrics: b.UpstreamMetrics,
		}
		kind, audience := upstream.Client, p.Client
		if p.Exchange.Set {
			kind, audience = upstream.Exchange, p.Exchange
		}
		if b.RoundTrip != nil {
			cfg.RoundTrip = b.RoundTrip(cfg.Name)
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
