package policy

import (
	"fmt"
	"slices"
)

func (v *validator) route(r *Route) {
	v.match(r.Match)
	e := v.doc.Effective(r)
	for _, h := range r.Hosts {
		v.refers(h, "host", "hosts", v.hosts)
	}
	if !r.Upstream.Set && r.Redirect == nil {
		v.missing(r.Pos, fmt.Sprintf("route %q has no upstream: name one here, or one for the whole file", r.Name.V))
	}
	v.redirect(r)
	v.rewrite(r)
	v.fieldsOfAnswers(r.Response)
	v.cors(r.CORS)
	v.refers(r.Upstream, "upstream", "upstreams", v.upstreams)
	v.exchanged(r)
	for _, name := range r.Authenticate {
		v.refers(name, "issuer", "issuers", v.issuers)
	}
	for _, name := range r.Limits {
		v.refers(name, "limit", "limits", v.limits)
		if r.NoAuthenticate.Set && v.doc.needsPrincipal(name.V) {
			v.report(name.Pos, CodeRule, fmt.Sprintf("limit %q counts who calls, and route %q does not ask", name.V, r.Name.V), "", "use a limit by source or by route")
		}
	}
	v.profiles(r.WAF)
	v.size(r.Body, bodyMost)
	v.duration(r.Timeout, shortest, timeoutMost)
	v.count(r.Capacity, 1, capacityMost)
	v.rules(r)
	v.silent(r, e)
	v.inspected(r, e)
	v.floors(r, e)
}

// exchanged reports a route that has no caller whose token could be exchanged
// for one that its upstream takes.
func (v *validator) exchanged(r *Route) {
	i := slices.IndexFunc(v.doc.Upstreams, func(u *Upstream) bool { return u.Name.V == r.Upstream.V })
	if i < 0 || !v.doc.Upstreams[i].Exchange.Set || !r.NoAuthenticate.Set {
		return
	}
	v.report(r.NoAuthenticate.Pos, CodeRule, fmt.Sprintf("upstream %q is sent the caller's token, exchanged, and route %q does not ask who calls", r.Upstream.V, r.Name.V),
		"the upstream's credential stands at "+v.doc.Upstreams[i].Exchange.Pos.String(), "authenticate, or send the route to an upstream with credential: {client: NAME}")
}

// silent finds stages that a route goes without and does not say so.
func (v *validator) silent(r *Route, e Effective) {
	if v.doc.partial {
		return
	}
	for _, stage := range []struct {
		key    string
		absent bool
	}{
		{"authenticate", len(e.Authenticate) == 0 && !r.NoAuthenticate.Set},
		{"limits", len(e.Limits) == 0 && !r.NoLimits.Set},
		{"waf", len(e.WAF) == 0 && !r.NoWAF.Set},
	} {
		if stage.absent {
			v.report(r.Pos, CodeSilent, fmt.Sprintf("route %q has no %s, and neither have the defaults", r.Name.V, stage.key),
				"", fmt.Sprintf("name some, or say why not: %s: {none: reason}", stage.key))
		}
	}
}

// inspected finds routes that take a larger body than their WAF looks at: what
// it does not see it cannot refuse.
func (v *validator) inspected(r *Route, e Effective) {
	for _, name := range e.WAF {
		p := v.doc.profile(name.V)
		if p == nil || p.Mode.V == shadow {
			continue
		}
		most := p.Inspect.Body.Or(DefaultInspectBody)
		if e.Body.V <= most {
			continue
		}
		at := p.Inspect.Body.Pos
		if e.Body.Set {
			at = e.Body.Pos
		}
		v.report(at, CodeUninspected, fmt.Sprintf("route %q takes a body of %s, and WAF profile %q inspects %s", r.Name.V, FormatSize(e.Body.V), name.V, FormatSize(most)),
			"", "take a smaller body, or say why it is not inspected: waf: {none: reason}")
	}
}
