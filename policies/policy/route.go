package policy

import (
	"fmt"
	"slices"
	"strings"
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
	v.encodedSlash(r)
	v.refers(r.Upstream, "upstream", "upstreams", v.upstreams)
	v.exchanged(r)
	v.upgraded(r)
	v.compress(r)
	for _, name := range r.Authenticate {
		v.refers(name, "issuer", "issuers", v.issuers)
	}
	if len(r.Authenticate) > 0 {
		v.opaque(e.Authenticate)
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

// encodedSlash reports a route where no slash can be escaped, and one that writes
// what a star took into another path, where escaped slashes and others would look
// alike.
func (v *validator) encodedSlash(r *Route) {
	if !r.EncodedSlash.V {
		return
	}
	if _, path := SplitMatch(r.Match.V); !strings.ContainsAny(path, "{*") {
		v.report(r.EncodedSlash.Pos, CodeNoEffect, fmt.Sprintf("route %q matches one path, in which nothing can be escaped", r.Name.V), "", "leave it out")
	}
	templates := []Value[string]{}
	if r.Request != nil {
		templates = append(templates, r.Request.Path)
	}
	if r.Redirect != nil {
		templates = append(templates, r.Redirect.To)
	}
	for _, t := range templates {
		if strings.HasSuffix(t.V, "*") {
			v.report(t.Pos, CodeConflict, fmt.Sprintf("the path %q takes what a star took, and route %q takes escaped slashes: they would become separators", t.V, r.Name.V),
				"encoded_slash stands at "+r.EncodedSlash.Pos.String(), "leave encoded_slash out, or match with parameters, which stay one segment each")
		}
	}
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
