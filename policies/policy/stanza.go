package policy

import (
	"fmt"
	"time"
)

// What a policy may ask for at most.
const (
	bodyMost     = 64 << 20
	timeoutMost  = 5 * time.Minute
	capacityMost = 100_000
	connectMost  = 30 * time.Second
	countMost    = 1_000_000
	periodMost   = 24 * time.Hour
	lifetimeMost = 24 * time.Hour // of a token that is accepted
	issuedMost   = time.Hour      // of a token that is issued
	refreshMost  = 2160 * time.Hour
	staleMost    = time.Hour
	beliefMost   = time.Minute     // in what an issuer said of a token
	staleLeast   = 5 * time.Second // a healthy token service speaks every two
	windowMost   = 10 * time.Minute
	shortest     = time.Millisecond

	inspectBodyMost = 64 << 10
	inspectArgsMost = 1000
	depthInspected  = 64
	scoreMost       = 10_000
)

func (v *validator) gateway() {
	g := v.doc.Gateway
	if g == nil {
		return
	}
	for _, h := range g.Hosts {
		v.host(h)
	}
	for _, n := range g.TrustedProxies {
		v.network(n, "would believe everyone", "any client could then say it is any other; name your proxies")
	}
	for _, n := range g.ProxyProtocol {
		v.network(n, "would have every client begin with a PROXY header", "any client could then say it is any other; name your load balancers")
	}
	v.clientCertificates(g)
	v.count(g.RedirectHTTP, 1, 65535)
	for _, name := range g.Defaults.Authenticate {
		v.refers(name, "issuer", "issuers", v.issuers)
	}
	v.opaque(g.Defaults.Authenticate)
	for _, name := range g.Defaults.Limits {
		v.refers(name, "limit", "limits", v.limits)
	}
	v.profiles(g.Defaults.WAF)
	v.cors(g.Defaults.CORS)
	v.fieldsOfAnswers(g.Defaults.Response)
	v.size(g.Defaults.Body, bodyMost)
	v.duration(g.Defaults.Timeout, shortest, timeoutMost)
	v.count(g.Defaults.Capacity, 1, capacityMost)
	for _, f := range g.Floor {
		v.floor(f)
	}
}

func (v *validator) issuer(i *Issuer) {
	v.tokenURL(i.URL)
	v.tokenURL(i.JWKS)
	v.visible(i.Audience, "an audience")
	v.duration(i.Lifetime, time.Second, lifetimeMost)
	v.duration(i.Revocations.Stale, staleLeast, staleMost)
	v.introspection(i)
	if i.Profile.V == "jwt" {
		if i.Follows {
			v.report(i.Revocations.Pos, CodeNoEffect, "an issuer of profile jwt has no list of revocations that is read here", "", "leave it out; give its tokens a short lifetime instead")
		}
		if len(i.Require) == 0 && !v.doc.partial {
			v.report(i.Profile.Pos, CodeUnprotected, "an issuer of profile jwt requires nothing of its tokens", "its ID tokens would pass as access tokens",
				"add what only its access tokens carry, such as require: {typ: Bearer}")
		}
		return
	}
	for _, unused := range []Value[string]{i.ClientClaim, i.ScopeClaim} {
		v.jwtOnly(unused)
	}
	for _, c := range i.Require {
		v.jwtOnly(c.Value)
	}
}

func (v *validator) jwtOnly(value Value[string]) {
	if value.Set {
		v.report(value.Pos, CodeNoEffect, "this holds for profile jwt alone", "", "rfc9068 names its claims itself; add profile: jwt, or leave this out")
	}
}

func (v *validator) tokenURL(at Value[string]) {
	if !at.Set {
		return
	}
	if u, ok := v.origin(at, true); ok {
		v.secret(at, u, "whose tokens to believe would be asked")
	}
}

func (v *validator) visible(value Value[string], what string) {
	if value.Set && !isVisible(value.V) {
		v.report(value.Pos, CodeForm, fmt.Sprintf("%q cannot be %s", value.V, what), "", fmt.Sprintf("up to %d visible ASCII characters without a space", tokenLongest))
	}
}

func (v *validator) scopes(scopes []Value[string]) {
	for _, s := range scopes {
		if !isScope(s.V) {
			v.report(s.Pos, CodeForm, fmt.Sprintf("%q cannot be a scope", s.V), "", "a scope is visible ASCII without space, quote or backslash (RFC 6749 section 3.3)")
		}
	}
}

func (v *validator) upstream(u *Upstream) {
	v.visible(u.Exchange, "an audience")
	v.visible(u.Client, "an audience")
	for _, e := range u.Endpoints {
		address, ok := v.origin(e, false)
		if ok {
			v.protocol(u, e, address.Scheme)
		}
		if ok && (u.Exchange.Set || u.Client.Set) {
			v.secret(e, address, "a token would travel")
		}
	}
	v.duration(u.Connect, shortest, connectMost)
	v.duration(u.Attempt, shortest, timeoutMost)
	v.count(u.Breaker.Samples, 1, countMost)
	v.percent(u.Breaker.Failures)
	v.duration(u.Breaker.Window, time.Second, windowMost)
	v.duration(u.Breaker.Open, 100*time.Millisecond, windowMost)
}

func (v *validator) limit(l *Limit) {
	v.count(Value[int]{l.Rate.V.Count, l.Rate.Pos, l.Rate.Set}, 1, countMost)
	v.duration(Value[time.Duration]{l.Rate.V.Per, l.Rate.Pos, l.Rate.Set}, shortest, periodMost)
	v.count(l.Burst, 1, countMost)
	for _, c := range l.Clients {
		v.visible(c, "a client")
	}
	if len(l.Clients) > 0 && (l.By.V == "source" || l.By.V == "route") {
		v.report(l.Clients[0].Pos, CodeNoEffect, fmt.Sprintf("a limit by %s is counted before the client is known", l.By.V), "", "count by client or by principal")
	}
}

func (v *validator) profile(p *WAFProfile) {
	v.count(p.Paranoia.Blocking, 1, 4)
	v.count(p.Paranoia.Detection, 1, 4)
	if d := p.Paranoia.Detection; d.Set && d.V >= 1 && d.V < p.Paranoia.Blocking.Or(DefaultParanoia) {
		v.report(d.Pos, CodeBounds, "rules that deny must also be evaluated", "", "detection is at least blocking")
	}
	v.count(p.Threshold.Inbound, 1, scoreMost)
	v.count(p.Threshold.Outbound, 1, scoreMost)
	v.count(p.Inspect.Args, 1, inspectArgsMost)
	v.count(p.Inspect.Depth, 1, depthInspected)
	v.size(p.Inspect.Body, inspectBodyMost)
	v.duration(p.Inspect.Cost, time.Millisecond, time.Second)
	if p.Proof.V == "off" && p.Inspect.Cost.Set {
		v.report(p.Inspect.Cost.Pos, CodeNoEffect, "without the proof every request costs the whole price of the rules, and is bounded by 1s of it", "", "leave cost out, or the proof on")
	}
	v.responses(p)
	for _, e := range p.Exclusions {
		v.exclusion(e)
	}
	v.patches(p)
}

// profiles checks the WAF profiles of one list: requests are refused by one, and
// watched by any number.
func (v *validator) profiles(names []Value[string]) {
	var enforced *Value[string]
	for i, name := range names {
		v.refers(name, "WAF profile", "waf", v.wafs)
		p := v.doc.profile(name.V)
		switch {
		case p == nil || p.Mode.V == shadow:
		case enforced == nil:
			enforced = &names[i]
		default:
			v.report(name.Pos, CodeConflict, fmt.Sprintf("WAF profiles %q and %q are both in force", enforced.V, name.V), "a request is refused by one",
				"leave one of them out, or give it mode: shadow")
		}
	}
}
