package trial

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/policies/policy"
)

// mutation is one change for the worse. apply changes a document that nobody
// else has; it finds what it changes by its place in the lists.
type mutation struct {
	name  string
	apply func(*policy.Document)
}

// mutants collects the changes that each thing of a document allows.
type mutants struct {
	doc *policy.Document
	all []mutation
}

// mutationsOf are all single changes: each thing dropped, inverted or widened.
func mutationsOf(doc *policy.Document) []mutation {
	m := &mutants{doc: doc}
	for i, r := range doc.Routes {
		m.route(i, r)
	}
	for i, l := range doc.Limits {
		m.limit(i, l)
	}
	for i, w := range doc.WAF {
		m.profile(i, w)
	}
	for i, issuer := range doc.Issuers {
		m.issuer(i, issuer)
	}
	m.gateway()
	for i, u := range doc.Upstreams {
		if u.NoCredential.Set {
			continue
		}
		m.add("credential of upstream "+u.Name.V+": none", func(d *policy.Document) {
			d.Upstreams[i].Exchange, d.Upstreams[i].Client, d.Upstreams[i].NoCredential = policy.Value[string]{}, policy.Value[string]{}, said("mutated")
		})
	}
	return m.all
}

func (m *mutants) add(name string, apply func(*policy.Document)) {
	m.all = append(m.all, mutation{name, apply})
}

func set[T any](v T) policy.Value[T] { return policy.Value[T]{V: v, Set: true} }

// without is a list that lacks one entry; the list itself stays as it is.
func without[T any](list []T, i int) []T { return slices.Delete(slices.Clone(list), i, i+1) }

func (m *mutants) route(i int, r *policy.Route) {
	name := func(what string) string { return "route " + r.Name.V + ": " + what }
	at := func(what string, change func(*policy.Route)) {
		m.add(name(what), func(d *policy.Document) { change(d.Routes[i]) })
	}
	for j := range r.Allow {
		m.rule(r, fmt.Sprintf("allow[%d]", j), r.Allow[j], func(d *policy.Document) *[]*policy.Rule { return &d.Routes[i].Allow }, func(d *policy.Document) *[]*policy.Rule { return &d.Routes[i].Deny }, j)
	}
	for j := range r.Deny {
		m.rule(r, fmt.Sprintf("deny[%d]", j), r.Deny[j], func(d *policy.Document) *[]*policy.Rule { return &d.Routes[i].Deny }, func(d *policy.Document) *[]*policy.Rule { return &d.Routes[i].Allow }, j)
	}
	for _, o := range []struct {
		stage  string
		reason func(*policy.Route) *policy.Value[string]
	}{
		{"authenticate", func(r *policy.Route) *policy.Value[string] { return &r.NoAuthenticate }},
		{"limits", func(r *policy.Route) *policy.Value[string] { return &r.NoLimits }},
		{"waf", func(r *policy.Route) *policy.Value[string] { return &r.NoWAF }},
	} {
		if o.reason(r).Set {
			at(o.stage+" no longer left out", func(r *policy.Route) { *o.reason(r) = policy.Value[string]{} })
			continue
		}
		leave := func(r *policy.Route) {
			*o.reason(r) = said("mutated")
			switch o.stage {
			case "authenticate":
				r.Authenticate = nil
			case "limits":
				r.Limits = nil
			case "waf":
				r.WAF = nil
			}
		}
		at(o.stage+" left out", leave)
		m.add(name(o.stage+" left out, where nothing is demanded"), func(d *policy.Document) { d.Gateway.Floor = nil; leave(d.Routes[i]) })
	}
	for j, l := range r.Limits {
		at("limit "+l.V+" dropped", func(r *policy.Route) { r.Limits = without(r.Limits, j) })
	}
	for j, w := range r.WAF {
		at("profile "+w.V+" dropped", func(r *policy.Route) { r.WAF = without(r.WAF, j) })
	}
	for _, u := range m.doc.Upstreams {
		if r.Redirect == nil && u.Name.V != m.doc.Effective(r).Upstream.V {
			at("upstream "+u.Name.V, func(r *policy.Route) { r.Upstream = said(u.Name.V) })
		}
	}
	if r.Body.Set {
		at("body doubled", func(r *policy.Route) { r.Body.V *= 2 })
	}
	if r.Validate != nil {
		at("validation dropped", func(r *policy.Route) { r.Validate = nil })
		at("validation in the other mode", func(r *policy.Route) { r.Validate.Mode = otherMode(r.Validate.Mode) })
	}
	if r.CORS != nil {
		at("CORS dropped", func(r *policy.Route) { r.CORS = nil })
		at("CORS for every origin", func(r *policy.Route) {
			r.CORS.Origins, r.CORS.Credentials = []policy.Value[string]{said("*")}, policy.Value[bool]{}
		})
		at("CORS with other credentials", func(r *policy.Route) { r.CORS.Credentials = set(!r.CORS.Credentials.V) })
	}
	if r.Redirect != nil {
		at("redirect elsewhere", func(r *policy.Route) { r.Redirect.To = said("/elsewhere") })
		at("redirect with 302", func(r *policy.Route) { r.Redirect.Status = set(302) })
	}
	m.rewrite(at, r)
	if len(r.Hosts) > 0 {
		at("on all hosts", func(r *policy.Route) { r.Hosts = nil })
	}
}

func (m *mutants) rewrite(at func(string, func(*policy.Route)), r *policy.Route) {
	if r.Request != nil {
		if r.Request.StripPrefix.Set {
			at("prefix kept", func(r *policy.Route) { r.Request.StripPrefix = policy.Value[string]{} })
		}
		if r.Request.Path.Set {
			at("path kept", func(r *policy.Route) { r.Request.Path = policy.Value[string]{} })
		}
		for j, f := range r.Request.Set {
			at("request field "+f.Name+" not set", func(r *policy.Route) { r.Request.Set = without(r.Request.Set, j) })
		}
		for j, f := range r.Request.Remove {
			at("request field "+f.V+" not removed", func(r *policy.Route) { r.Request.Remove = without(r.Request.Remove, j) })
		}
	}
	for j, f := range r.Response.Set {
		at("response field "+f.Name+" not set", func(r *policy.Route) { r.Response.Set = without(r.Response.Set, j) })
	}
	for j, f := range r.Response.Remove {
		at("response field "+f.V+" not removed", func(r *policy.Route) { r.Response.Remove = without(r.Response.Remove, j) })
	}
}

func otherMode(mode policy.Value[string]) policy.Value[string] {
	if mode.V == "shadow" {
		return said("enforce")
	}
	return said("shadow")
}

func (m *mutants) rule(r *policy.Route, what string, rule *policy.Rule, list, other func(*policy.Document) *[]*policy.Rule, j int) {
	name := "route " + r.Name.V + ": " + what
	at := func(what string, change func(*policy.Rule)) {
		m.add(name+" "+what, func(d *policy.Document) { change((*list(d))[j]) })
	}
	m.add(name+" dropped", func(d *policy.Document) { *list(d) = without(*list(d), j) })
	m.add(name+" inverted", func(d *policy.Document) {
		moved := (*list(d))[j]
		*list(d) = without(*list(d), j)
		*other(d) = append(slices.Clone(*other(d)), moved)
	})
	at("in the other mode", func(r *policy.Rule) { r.Mode = otherMode(r.Mode) })
	if !rule.Anyone.V {
		at("for anyone", func(r *policy.Rule) {
			*r = policy.Rule{Pos: r.Pos, Name: r.Name, Mode: r.Mode, Anyone: set(true), Reason: said("mutated")}
		})
	}
	for i, s := range rule.Scopes {
		at("without scope "+s.V, func(r *policy.Rule) { r.Scopes = without(r.Scopes, i) })
		for _, o := range m.scopes() {
			if o != s.V {
				at("with scope "+o+" for "+s.V, func(r *policy.Rule) { r.Scopes = slices.Clone(r.Scopes); r.Scopes[i] = said(o) })
			}
		}
	}
	for i, c := range rule.Claims {
		at("without claim "+c.Name, func(r *policy.Rule) { r.Claims = without(r.Claims, i) })
		for k, v := range c.Values {
			at("without "+v.V+" of claim "+c.Name, func(r *policy.Rule) {
				r.Claims = slices.Clone(r.Claims)
				r.Claims[i].Values = without(r.Claims[i].Values, k)
			})
		}
	}
	if rule.Owner.Set {
		at("without owner", func(r *policy.Rule) { r.Owner = policy.Value[string]{} })
	}
	if len(rule.Clients) > 0 {
		at("for every client", func(r *policy.Rule) { r.Clients = nil })
	}
	if len(rule.Methods) > 0 {
		at("for every method", func(r *policy.Rule) { r.Methods = nil })
	}
	if len(rule.Networks) > 0 {
		at("from everywhere", func(r *policy.Rule) { r.Networks = nil })
	}
	if len(rule.Hours) > 0 {
		at("at any time", func(r *policy.Rule) { r.Hours = nil })
		at("an hour longer", func(r *policy.Rule) { r.Hours = slices.Clone(r.Hours); r.Hours[0].End += time.Hour })
		at("an hour earlier", func(r *policy.Rule) { r.Hours = slices.Clone(r.Hours); r.Hours[0].Begin -= time.Hour })
		at("also on Sundays", func(r *policy.Rule) { r.Hours = slices.Clone(r.Hours); r.Hours[0].Days[time.Sunday] = true })
	}
	if rule.When.Set {
		at("without its condition", func(r *policy.Rule) { r.When = policy.Value[string]{} })
		at("with its condition negated", func(r *policy.Rule) { r.When.V = "!(" + r.When.V + ")" })
		for i := range strings.Count(rule.When.V, " && ") + 1 {
			if strings.Contains(rule.When.V, " && ") {
				at(fmt.Sprintf("without part %d of its condition", i), func(r *policy.Rule) {
					r.When.V = strings.Join(without(strings.Split(r.When.V, " && "), i), " && ")
				})
			}
		}
	}
}

// scopes are all that the policy knows.
func (m *mutants) scopes() []string {
	var all []string
	for _, r := range m.doc.Routes {
		for _, rule := range append(slices.Clone(r.Allow), r.Deny...) {
			for _, s := range rule.Scopes {
				if !slices.Contains(all, s.V) {
					all = append(all, s.V)
				}
			}
		}
	}
	return all
}

func (m *mutants) limit(i int, l *policy.Limit) {
	at := func(what string, change func(*policy.Limit)) {
		m.add("limit "+l.Name.V+": "+what, func(d *policy.Document) { change(d.Limits[i]) })
	}
	at("rate doubled", func(l *policy.Limit) { l.Burst = set(l.Burst.Or(l.Rate.V.Count)); l.Rate.V.Count *= 2 })
	at("burst doubled", func(l *policy.Limit) { l.Burst = set(2 * l.Burst.Or(l.Rate.V.Count)) })
	at("in the other mode", func(l *policy.Limit) { l.Mode = otherMode(l.Mode) })
	for _, by := range []string{"source", "principal", "client", "route"} {
		if by != l.By.V {
			at("by "+by, func(l *policy.Limit) { l.By.V = by })
		}
	}
	if len(l.Clients) > 0 {
		at("for every client", func(l *policy.Limit) { l.Clients = nil })
		at("for no client there is", func(l *policy.Limit) { l.Clients = []policy.Value[string]{said("nobody")} })
	}
}

func (m *mutants) profile(i int, w *policy.WAFProfile) {
	at := func(what string, change func(*policy.WAFProfile)) {
		m.add("profile "+w.Name.V+": "+what, func(d *policy.Document) { change(d.WAF[i]) })
	}
	at("in the other mode", func(w *policy.WAFProfile) { w.Mode = otherMode(w.Mode) })
	at("threshold doubled", func(w *policy.WAFProfile) { w.Threshold.Inbound = set(2 * w.Threshold.Inbound.Or(5)) })
	at("depth doubled", func(w *policy.WAFProfile) { w.Inspect.Depth = set(2 * w.Inspect.Depth.Or(20)) })
	at("arguments doubled", func(w *policy.WAFProfile) { w.Inspect.Args = set(2 * w.Inspect.Args.Or(255)) })
	at("body doubled", func(w *policy.WAFProfile) { w.Inspect.Body = set(2 * w.Inspect.Body.Or(64<<10)) })
	for j := range w.Exclusions {
		at(fmt.Sprintf("exclusion %d dropped", j), func(w *policy.WAFProfile) { w.Exclusions = without(w.Exclusions, j) })
		at(fmt.Sprintf("exclusion %d for another target", j), func(w *policy.WAFProfile) { w.Exclusions[j].Target.V += "s" })
		at(fmt.Sprintf("exclusion %d of another rule", j), func(w *policy.WAFProfile) {
			w.Exclusions[j].Rules = []policy.Value[int]{set(941100)}
		})
	}
}

func (m *mutants) issuer(i int, p *policy.Issuer) {
	at := func(what string, change func(*policy.Issuer)) {
		m.add("issuer "+p.Name.V+": "+what, func(d *policy.Document) { change(d.Issuers[i]) })
	}
	at("another audience", func(p *policy.Issuer) { p.Audience.V = "elsewhere" })
	at("lifetime doubled", func(p *policy.Issuer) { p.Lifetime = set(2 * p.Lifetime.Or(time.Hour)) })
	at("more algorithms", func(p *policy.Issuer) {
		p.Algorithms = append(slices.Clone(p.Algorithms), said("ES256"), said("RS256"), said("ES384"))
	})
	at("the other profile", func(p *policy.Issuer) {
		if p.Profile.V == "jwt" {
			p.Profile, p.Require, p.ClientClaim, p.ScopeClaim = said("rfc9068"), nil, policy.Value[string]{}, policy.Value[string]{}
		} else {
			p.Profile = said("jwt")
		}
	})
	for j, c := range p.Require {
		at("claim "+c.Name+" not required", func(p *policy.Issuer) { p.Require = without(p.Require, j) })
		at("claim "+c.Name+" required otherwise", func(p *policy.Issuer) { p.Require[j].Value.V = "other" })
	}
	for j, c := range p.Claims {
		at("claim "+c.Name+" not declared", func(p *policy.Issuer) { p.Claims = without(p.Claims, j) })
	}
}

func (m *mutants) gateway() {
	g := m.doc.Gateway
	at := func(what string, change func(*policy.Gateway)) {
		m.add("gateway: "+what, func(d *policy.Document) { change(d.Gateway) })
	}
	for i, h := range g.Hosts {
		at("host "+h.V+" dropped", func(g *policy.Gateway) { g.Hosts = without(g.Hosts, i) })
	}
	at("callers trusted as proxies", func(g *policy.Gateway) { g.TrustedProxies = append(g.TrustedProxies, said("192.0.2.0/24")) })
	for i, n := range g.Defaults.Authenticate {
		at("authenticate "+n.V+" dropped", func(g *policy.Gateway) { g.Defaults.Authenticate = without(g.Defaults.Authenticate, i) })
	}
	for i, n := range g.Defaults.Limits {
		at("limit "+n.V+" dropped", func(g *policy.Gateway) { g.Defaults.Limits = without(g.Defaults.Limits, i) })
	}
	for i, n := range g.Defaults.WAF {
		at("profile "+n.V+" dropped", func(g *policy.Gateway) { g.Defaults.WAF = without(g.Defaults.WAF, i) })
	}
	if g.Defaults.Body.Set {
		at("body doubled", func(g *policy.Gateway) { g.Defaults.Body.V *= 2 })
	}
	for i, f := range g.Defaults.Response.Set {
		at("response field "+f.Name+" not set", func(g *policy.Gateway) { g.Defaults.Response.Set = without(g.Defaults.Response.Set, i) })
	}
	for i := range g.Floor {
		at(fmt.Sprintf("floor %d dropped alone", i), func(g *policy.Gateway) { g.Floor = without(g.Floor, i) })
	}
}
