package diff

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// issuers compares whose tokens a route accepts, and on which terms. An issuer
// is who its URL says, whatever policies call it.
func (c *comparison) issuers(old, now *served) {
	switch {
	case !old.authenticated() && !now.authenticated():
		return
	case !now.authenticated():
		c.say(Widens, at(now.NoAuthenticate, now.Pos), "does not ask who calls any more")
		return
	case !old.authenticated():
		c.say(Narrows, now.Pos, "asks who calls")
		return
	}
	was, is := old.accepted(), now.accepted()
	for _, i := range is {
		if before := ofURL(was, i.URL.V); before != nil {
			c.terms(before, i, old, now)
		} else {
			c.say(Widens, i.Pos, "accepts tokens of "+i.URL.V)
		}
	}
	for _, i := range was {
		if ofURL(is, i.URL.V) == nil {
			c.gone(Narrows, i.Pos, "accepts no tokens of "+i.URL.V+" any more")
		}
	}
}

func (r *served) accepted() []*policy.Issuer {
	var list []*policy.Issuer
	for _, name := range r.Effective.Authenticate {
		if i := r.side.issuers[name.V]; i != nil {
			list = append(list, i)
		}
	}
	return list
}

func ofURL(list []*policy.Issuer, url string) *policy.Issuer {
	if i := slices.IndexFunc(list, func(i *policy.Issuer) bool { return i.URL.V == url }); i >= 0 {
		return list[i]
	}
	return nil
}

// terms compares which tokens of one issuer are accepted.
func (c *comparison) terms(was, is *policy.Issuer, old, now *served) {
	name := "issuer " + is.Name.V + " "
	if was.Audience.V != is.Audience.V {
		c.say(Widens, at(is.Audience, is.Pos), fmt.Sprintf("%sis taken for audience %s (before: %s)", name, is.Audience.V, was.Audience.V))
	}
	c.profileOf(name, was, is)
	before, after := algorithms(was), algorithms(is)
	if more := added(before, after); len(more) > 0 {
		c.say(Widens, is.Pos, name+"may sign with "+strings.Join(more, ", "))
	}
	if less := added(after, before); len(less) > 0 {
		c.say(Narrows, is.Pos, name+"may no longer sign with "+strings.Join(less, ", "))
	}
	if c.old.doc.Written(was.URL) != c.now.doc.Written(is.URL) {
		c.say(Unproved, at(is.URL, is.Pos), name+"is another where the environment says so: "+c.now.doc.Written(is.URL)+" (before: "+c.old.doc.Written(was.URL)+")")
	}
	if c.old.doc.Written(was.JWKS) != c.now.doc.Written(is.JWKS) {
		c.say(Unproved, at(is.JWKS, is.Pos), name+"has its keys elsewhere now")
	}
	if c.old.doc.Written(was.CA) != c.now.doc.Written(is.CA) {
		c.say(Unproved, at(is.CA, is.Pos), name+"is believed by other certificates")
	}
	c.longer(at(is.Lifetime, is.Pos), name+"may make tokens that live", was.Lifetime.Or(policy.DefaultLifetime), is.Lifetime.Or(policy.DefaultLifetime))
	c.revocations(name, was, is)
	c.introspection(name, was, is)
	c.declared(name, was, is, old, now)
}

// declared compares the claims that are read from tokens. A claim that begins to
// be read may let its bearer in, and one that is not read any more keeps no deny
// rule from passing by.
func (c *comparison) declared(name string, was, is *policy.Issuer, old, now *served) {
	of := func(list []policy.ClaimType, name string) *policy.ClaimType {
		if i := slices.IndexFunc(list, func(o policy.ClaimType) bool { return o.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, t := range is.Claims {
		switch o := of(was.Claims, t.Name); {
		case o == nil && (now.mentions(t.Name) || now.mentions("token.claims")):
			c.say(Unproved, t.Type.Pos, fmt.Sprintf("%sis believed its claim %s, which rules ask for", name, t.Name))
		case o != nil && o.Type.V != t.Type.V:
			c.say(Unproved, t.Type.Pos, fmt.Sprintf("%shas claim %s as %s (before: %s)", name, t.Name, t.Type.V, o.Type.V))
		}
	}
	for _, t := range was.Claims {
		if of(is.Claims, t.Name) == nil && (old.mentions(t.Name) || old.mentions("token.claims")) {
			c.gone(Unproved, t.Type.Pos, fmt.Sprintf("%sis not asked for its claim %s any more, which rules asked for", name, t.Name))
		}
	}
}

// profileOf compares how access tokens are told from others, and where what
// rules ask for stands in them.
func (c *comparison) profileOf(name string, was, is *policy.Issuer) {
	before, after := was.Profile.Or(policy.DefaultProfile), is.Profile.Or(policy.DefaultProfile)
	if before != after {
		kind := Unproved
		if before == policy.DefaultProfile {
			kind = Widens
		}
		c.say(kind, at(is.Profile, is.Pos), fmt.Sprintf("%smakes tokens of profile %s (before: %s)", name, after, before))
		return
	}
	if was.ClientClaim.Or(policy.DefaultClientClaim) != is.ClientClaim.Or(policy.DefaultClientClaim) {
		c.say(Unproved, at(is.ClientClaim, is.Pos), name+"names the client in another claim")
	}
	if was.ScopeClaim.Or(policy.DefaultScopeClaim) != is.ScopeClaim.Or(policy.DefaultScopeClaim) {
		c.say(Unproved, at(is.ScopeClaim, is.Pos), name+"names the scopes in another claim")
	}
	of := func(list []policy.Claim, name string) *policy.Claim {
		if i := slices.IndexFunc(list, func(o policy.Claim) bool { return o.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, r := range was.Require {
		switch now := of(is.Require, r.Name); {
		case now == nil:
			c.gone(Widens, r.Value.Pos, fmt.Sprintf("%sneed not have claim %s: %s any more", name, r.Name, r.Value.V))
		case now.Value.V != r.Value.V:
			c.say(Widens, now.Value.Pos, fmt.Sprintf("%sneeds claim %s: %s (before: %s)", name, r.Name, now.Value.V, r.Value.V))
		}
	}
	for _, r := range is.Require {
		if of(was.Require, r.Name) == nil {
			c.say(Narrows, r.Value.Pos, fmt.Sprintf("%sneeds claim %s: %s", name, r.Name, r.Value.V))
		}
	}
}

func (c *comparison) revocations(name string, was, is *policy.Issuer) {
	switch {
	case was.Follows && !is.Follows:
		c.gone(Widens, was.Revocations.Pos, name+"is no longer asked which tokens are revoked")
		return
	case !was.Follows && is.Follows:
		c.say(Narrows, is.Revocations.Pos, name+"is asked which tokens are revoked")
		return
	case !is.Follows:
		return
	}
	pos := is.Revocations.Pos
	c.longer(at(is.Revocations.Stale, pos), name+"may go unheard, until its tokens are judged without it, for", was.Revocations.Stale.V, is.Revocations.Stale.V)
	switch before, after := was.Revocations.Then.V, is.Revocations.Then.V; {
	case before == after:
	case after == "deny":
		c.say(Narrows, at(is.Revocations.Then, pos), name+"is not believed while it is unheard")
	default:
		c.say(Widens, at(is.Revocations.Then, pos), name+"is believed while nobody can say which of its tokens are revoked")
	}
}

// introspection compares whether an issuer is asked about tokens, and how.
func (c *comparison) introspection(name string, was, is *policy.Issuer) {
	before, after := was.Introspection, is.Introspection
	switch {
	case !was.Introspects && !is.Introspects:
		return
	case !was.Introspects:
		c.say(Widens, after.Pos, name+"is believed what it says of tokens that cannot be verified here")
		if after.Tokens.V == "all" {
			c.say(Narrows, after.Tokens.Pos, name+"is asked about tokens that were verified here, too")
		}
		return
	case !is.Introspects:
		c.gone(Narrows, before.Pos, name+"is not believed any more what it says of tokens that cannot be verified here")
		if before.Tokens.V == "all" {
			c.gone(Widens, before.Tokens.Pos, name+"is not asked any more whether tokens that were verified here are revoked")
		}
		return
	}
	if c.old.doc.Written(before.Endpoint) != c.now.doc.Written(after.Endpoint) {
		c.say(Unproved, at(after.Endpoint, after.Pos), name+"is asked about tokens elsewhere now")
	}
	c.longer(at(after.Cache, after.Pos), name+"is believed, of tokens it was asked about, for", before.Cache.Or(policy.DefaultBelief), after.Cache.Or(policy.DefaultBelief))
	switch was, is := before.Tokens.Or(policy.DefaultIntrospected), after.Tokens.Or(policy.DefaultIntrospected); {
	case was == is:
	case is == "all":
		c.say(Narrows, after.Tokens.Pos, name+"is asked about tokens that were verified here, too")
	default:
		c.say(Widens, at(after.Tokens, after.Pos), name+"is not asked any more whether tokens that were verified here are revoked")
	}
}

func algorithms(i *policy.Issuer) []string {
	if len(i.Algorithms) == 0 {
		return policy.DefaultAlgorithms()
	}
	return policy.Values(i.Algorithms)
}

// added are those of is that are not in was.
func added(was, is []string) []string {
	return slices.DeleteFunc(slices.Clone(is), func(v string) bool { return slices.Contains(was, v) })
}

// without are those of list that are not in the other.
func without(list, other []policy.Value[string]) []string {
	return added(policy.Values(other), policy.Values(list))
}
