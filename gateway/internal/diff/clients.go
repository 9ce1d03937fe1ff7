package diff

import (
	"fmt"
	"strings"

	"portcullis/policies/policy"
)

// clients compares what the token service gives to whom. A client's name is who
// it is; it is no name among policies alone.
func (c *comparison) clients() {
	before := byName(c.old.doc.Clients, func(p *policy.Client) string { return p.Name.V })
	after := byName(c.now.doc.Clients, func(p *policy.Client) string { return p.Name.V })
	for _, p := range c.now.doc.Clients {
		if was := before[p.Name.V]; was != nil {
			c.client(was, p)
		} else {
			c.say(Widens, p.Pos, "client "+p.Name.V+" may get tokens for "+audiences(p))
		}
	}
	for _, p := range c.old.doc.Clients {
		if after[p.Name.V] == nil {
			c.gone(Narrows, p.Pos, "client "+p.Name.V+" gets no tokens any more")
		}
	}
}

func audiences(p *policy.Client) string {
	var all []string
	for _, a := range p.Audiences {
		all = append(all, fmt.Sprintf("%s (%s)", a.Name.V, strings.Join(policy.Values(a.Scopes), " ")))
	}
	return strings.Join(all, ", ")
}

func (c *comparison) client(was, is *policy.Client) {
	name := "client " + is.Name.V + " "
	list := func(what string, before, after []policy.Value[string]) {
		c.listed(is.Pos, name+what, policy.Values(before), policy.Values(after))
	}
	list("may use the grants", was.Grants, is.Grants)
	list("sends browsers back to", was.Redirects, is.Redirects)
	list("sends browsers, after a sign-out, to", was.PostLogout, is.PostLogout)
	c.listed(is.Pos, name+"looks into tokens for", serves(was), serves(is))
	c.keys(name, was, is)
	c.audiences(name, was, is)
	if is.Public.V && !was.Public.V {
		c.say(Widens, is.Public.Pos, name+"need not prove who it is any more")
	} else if was.Public.V && !is.Public.V {
		c.say(Narrows, is.Pos, name+"must prove who it is")
	}
	c.longer(at(is.Lifetime, is.Pos), name+"gets tokens that live", was.Lifetime.Or(policy.DefaultIssued), is.Lifetime.Or(policy.DefaultIssued))
	c.longer(at(is.Refresh, is.Pos), name+"has sign-ins that last", was.Refresh.Or(policy.DefaultRefresh), is.Refresh.Or(policy.DefaultRefresh))
}

// listed compares lists that let more through when they grow.
func (c *comparison) listed(pos policy.Pos, what string, was, is []string) {
	if more := added(was, is); len(more) > 0 {
		c.say(Widens, pos, what+" "+strings.Join(more, ", "))
	}
	if less := added(is, was); len(less) > 0 {
		c.say(Narrows, pos, what+" no more: "+strings.Join(less, ", "))
	}
}

func serves(p *policy.Client) []string {
	if len(p.Serves) == 0 {
		return []string{p.Name.V}
	}
	return policy.Values(p.Serves)
}

func (c *comparison) keys(name string, was, is *policy.Client) {
	if more := added(policy.Values(was.Keys), policy.Values(is.Keys)); len(more) > 0 {
		c.say(Widens, is.Pos, fmt.Sprintf("%smay sign with keys it did not have: %d", name, len(more)))
	}
	if len(is.Keys) == 0 && len(was.Keys) > 0 && !is.Public.V {
		// A secret counts as soon as no key does.
		c.say(Widens, is.Pos, name+"may prove who it is by a secret (before: by a key alone)")
		return
	}
	if less := added(policy.Values(is.Keys), policy.Values(was.Keys)); len(less) > 0 {
		c.say(Narrows, is.Pos, fmt.Sprintf("%smay not sign any more with keys it had: %d", name, len(less)))
	}
}

func (c *comparison) audiences(name string, was, is *policy.Client) {
	of := func(p *policy.Client) map[string]*policy.Audience {
		return byName(p.Audiences, func(a *policy.Audience) string { return a.Name.V })
	}
	before, after := of(was), of(is)
	for _, a := range is.Audiences {
		o := before[a.Name.V]
		if o == nil {
			c.say(Widens, a.Pos, fmt.Sprintf("%smay get tokens for %s (%s)", name, a.Name.V, strings.Join(policy.Values(a.Scopes), " ")))
			continue
		}
		c.listed(a.Pos, name+"may have, for "+a.Name.V+", the scopes", policy.Values(o.Scopes), policy.Values(a.Scopes))
		switch {
		case o.MayAct.V == a.MayAct.V:
		case !o.MayAct.Set:
			c.say(Narrows, a.MayAct.Pos, fmt.Sprintf("%slets %s alone act on its tokens for %s", name, a.MayAct.V, a.Name.V))
		case !a.MayAct.Set:
			c.say(Widens, a.Pos, fmt.Sprintf("%slets anyone that serves %s act on its tokens (before: %s)", name, a.Name.V, o.MayAct.V))
		default:
			c.say(Widens, a.MayAct.Pos, fmt.Sprintf("%slets %s act on its tokens for %s (before: %s)", name, a.MayAct.V, a.Name.V, o.MayAct.V))
		}
	}
	for _, a := range was.Audiences {
		if after[a.Name.V] == nil {
			c.gone(Narrows, a.Pos, fmt.Sprintf("%sgets no tokens for %s any more", name, a.Name.V))
		}
	}
}
