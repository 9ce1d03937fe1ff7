package policy

import (
	"fmt"
	"slices"
)

func (v *validator) route(r *Route) {
	v.match(r.Match)
	e := v.doc.Effective(r)
	if !r.Upstream.Set {
		v.missing(r.Pos, fmt.Sprintf("route %q has no upstream: name one here, or one for the whole file", r.Name.V))
	}
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
	v.refers(r.WAF, "WAF profile", "waf", v.wafs)
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

// rules checks who may. With no allow rule nobody may: a route nobody can use
// is never what was meant.
func (v *validator) rules(r *Route) {
	if len(r.Allow) == 0 && !v.doc.partial {
		v.report(r.Pos, CodeNobody, fmt.Sprintf("route %q allows nobody", r.Name.V), "", "what no allow rule matches is denied; add allow: with at least one rule")
	}
	for _, rule := range r.Allow {
		v.rule(r, rule)
	}
	for _, rule := range r.Deny {
		v.rule(r, rule)
	}
}

func (v *validator) rule(r *Route, rule *Rule) {
	wrong := func(at Pos, what, hint string) { v.report(at, CodeRule, what, "", hint) }
	v.scopes(rule.Scopes)
	for _, c := range rule.Clients {
		v.visible(c, "a client")
	}
	conditions := len(rule.Scopes) > 0 || rule.Owner.Set || len(rule.Clients) > 0
	switch {
	case rule.Anyone.Set && !rule.Anyone.V:
		wrong(rule.Anyone.Pos, "anyone: false says nothing", "leave it out")
	case rule.Anyone.Set && conditions:
		wrong(rule.Anyone.Pos, "anyone, and yet under conditions", "leave out anyone, or the conditions")
	case rule.Anyone.Set && !rule.Reason.Set:
		v.report(rule.Anyone.Pos, CodeReason, "a rule for anyone has no reason", "", "add reason: why every request may match")
	case !rule.Anyone.Set && !conditions && !v.doc.partial:
		wrong(rule.Pos, "a rule without a condition", "name scopes, owner or clients; or anyone: true with a reason")
	case conditions && r.NoAuthenticate.Set:
		wrong(rule.Pos, fmt.Sprintf("the rule asks who calls, and route %q does not authenticate", r.Name.V), "authenticate, or use anyone: true with a reason")
	}
	_, path := splitMatch(r.Match.V)
	if rule.Owner.Set && !slices.Contains(cut(path), "{"+rule.Owner.V+"}") {
		var params []string
		for _, s := range cut(path) {
			if isParam(s) && len(s) > 2 {
				params = append(params, s[1:len(s)-1])
			}
		}
		v.report(rule.Owner.Pos, CodeUnknownName, fmt.Sprintf("route %q has no path parameter %q", r.Name.V, rule.Owner.V),
			didYouMean(rule.Owner.V, params), fmt.Sprintf("it matches %s", r.Match.V))
	}
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
		{"waf", e.WAF == "" && !r.NoWAF.Set},
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
	i := slices.IndexFunc(v.doc.WAF, func(p *WAFProfile) bool { return p.Name.V == e.WAF })
	if e.WAF == "" || i < 0 {
		return
	}
	most := v.doc.WAF[i].Inspect.Body.Or(inspectBodyMost)
	if e.Body <= most {
		return
	}
	at := v.doc.WAF[i].Inspect.Body.Pos
	if r.Body.Set {
		at = r.Body.Pos
	} else if v.doc.Gateway != nil && v.doc.Gateway.Defaults.Body.Set {
		at = v.doc.Gateway.Defaults.Body.Pos
	}
	v.report(at, CodeUninspected, fmt.Sprintf("route %q takes a body of %s, and WAF profile %q inspects %s", r.Name.V, inBytes(e.Body), e.WAF, inBytes(most)),
		"", "take a smaller body, or say why it is not inspected: waf: {none: reason}")
}

// floors reports what a route leaves out under a path where none may.
func (v *validator) floors(r *Route, e Effective) {
	_, path := splitMatch(r.Match.V)
	if v.doc.Gateway == nil || wrongPath(path) != "" {
		return
	}
	for _, f := range v.doc.Gateway.Floor {
		if wrongPath(f.Paths.V) != "" || !cut(f.Paths.V).overlaps(cut(path)) {
			continue
		}
		for _, need := range f.Needs {
			if at, below := lacks(r, e, need.V); below {
				v.report(at, CodeFloor, fmt.Sprintf("route %q goes without %s", r.Name.V, need.V),
					fmt.Sprintf("%s needs it", f.Paths.V), "the floor stands at "+need.Pos.String())
			}
		}
	}
}

// lacks tells whether a route goes without what a floor needs, and where it
// says so. Authorize is gone without when anyone may.
func lacks(r *Route, e Effective, need string) (Pos, bool) {
	switch need {
	case "authenticate":
		return r.NoAuthenticate.Pos, r.NoAuthenticate.Set
	case "limits":
		if r.NoLimits.Set {
			return r.NoLimits.Pos, true
		}
		return r.Pos, len(e.Limits) == 0
	case "waf":
		return r.NoWAF.Pos, r.NoWAF.Set
	case "authorize":
		for _, rule := range r.Allow {
			if rule.Anyone.V {
				return rule.Anyone.Pos, true
			}
		}
	}
	return Pos{}, false
}
