package diff

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// gateway compares what holds for every route.
func (c *comparison) gateway() {
	was, is := c.old.gateway, c.now.gateway
	for _, h := range is.Hosts {
		if !slices.Contains(c.old.hosts, h.V) {
			c.say(Widens, h.Pos, "host "+h.V+" is served now")
		}
	}
	for _, h := range was.Hosts {
		if !slices.Contains(c.now.hosts, h.V) {
			c.gone(Narrows, h.Pos, "host "+h.V+" is not served any more")
		}
	}
	c.proxies()
	c.balancers()
	c.clientCertificates()
	if was.RedirectHTTP != (policy.Value[int]{}) || is.RedirectHTTP.Set {
		differs(c, at(is.RedirectHTTP, is.Pos), "plain http is sent to port", was.RedirectHTTP.V, is.RedirectHTTP.V, port)
	}
	c.floors()
}

func port(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// proxies compares who may say where a request comes from. With one fewer, the
// source of its requests is the proxy itself, which a rule may let in.
func (c *comparison) proxies() {
	was, is := c.old.gateway.TrustedProxies, c.now.gateway.TrustedProxies
	for _, p := range is {
		if !trusted(was, p.V) {
			c.say(Widens, p.Pos, "proxies in "+p.V+" may say where requests come from")
		}
	}
	for _, p := range was {
		if trusted(is, p.V) {
			continue
		}
		kind, why := Narrows, ""
		if c.now.asksForSource() {
			kind, why = Unproved, ", and rules ask for the source"
		}
		c.gone(kind, p.Pos, "proxies in "+p.V+" may not say any more where requests come from"+why)
	}
}

func trusted(list []policy.Value[string], network string) bool {
	inner, err := prefix(network)
	return slices.ContainsFunc(list, func(v policy.Value[string]) bool {
		outer, wrong := prefix(v.V)
		return v.V == network || err == nil && wrong == nil && contains(outer, inner)
	}) || err == nil && covered(inner, prefixes(list))
}

func prefixes(list []policy.Value[string]) []netip.Prefix {
	var all []netip.Prefix
	for _, v := range list {
		if p, err := prefix(v.V); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func (s *side) asksForSource() bool {
	return slices.ContainsFunc(s.routes, func(r *served) bool {
		return slices.ContainsFunc(slices.Concat(r.Allow, r.Deny), func(p *policy.Rule) bool {
			return enforced(p.Mode) && (len(p.Networks) > 0 || strings.Contains(p.When.V, "source"))
		})
	})
}

// floors compares what no route may leave out. A floor guards the next edit,
// not requests; taking it away is how a guard is lost in two steps.
func (c *comparison) floors() {
	was, is := c.old.gateway.Floor, c.now.gateway.Floor
	for _, f := range was {
		for _, need := range f.Needs {
			if !needed(is, f.Paths.V, need.V) {
				c.gone(Widens, need.Pos, fmt.Sprintf("the floor under %s does not need %s any more", f.Paths.V, need.V))
			}
		}
	}
	for _, f := range is {
		for _, need := range f.Needs {
			if !needed(was, f.Paths.V, need.V) {
				c.say(Narrows, need.Pos, fmt.Sprintf("the floor under %s needs %s", f.Paths.V, need.V))
			}
		}
	}
	before, after := c.old.exceptions(was...), c.now.exceptions(is...)
	for key, e := range after {
		switch was := before[key]; {
		case c.old.insists(key) && !c.now.insists(key):
			c.say(Widens, e.Pos, fmt.Sprintf("the floor lets route %s go without %s", e.Route.V, key.need))
		case was != nil && e.Expires.V.After(was.Expires.V):
			c.say(Changes, e.Pos, fmt.Sprintf("the floor's exception for route %s is meant to last longer", e.Route.V))
		}
	}
	for key, e := range before {
		if after[key] == nil {
			c.gone(Narrows, e.Pos, fmt.Sprintf("the floor does not let route %s go without %s any more", e.Route.V, key.need))
		}
	}
}

// needed reports whether floors need something wherever a path matches.
func needed(floors []*policy.Floor, paths, need string) bool {
	return slices.ContainsFunc(floors, func(f *policy.Floor) bool {
		return slices.Contains(policy.Values(f.Needs), need) && cut(paths).within(cut(f.Paths.V))
	})
}

// excepted is one need that a floor does not insist on for the route of some
// requests.
type excepted struct{ match, hosts, need string }

// insists reports whether a floor needs of the route what others except.
func (s *side) insists(e excepted) bool {
	_, pattern, _ := strings.Cut(e.match, " ")
	return slices.ContainsFunc(s.gateway.Floor, func(f *policy.Floor) bool {
		_, meets := cut(f.Paths.V).meet(cut(pattern))
		return meets && slices.Contains(policy.Values(f.Needs), e.need) && s.exceptions(f)[e] == nil
	})
}

// exceptions are those of some floors.
func (s *side) exceptions(floors ...*policy.Floor) map[excepted]*policy.FloorException {
	routes := byName(s.routes, func(r *served) string { return r.Name.V })
	all := map[excepted]*policy.FloorException{}
	for _, f := range floors {
		for _, e := range f.Except {
			r := routes[e.Route.V]
			if r == nil {
				continue
			}
			hosts := strings.Join(slices.Sorted(slices.Values(policy.Values(r.Hosts))), ",")
			for _, need := range e.Needs {
				all[excepted{strings.Join(r.methods, ",") + " " + r.path.shape(), hosts, need.V}] = e
			}
		}
	}
	return all
}
