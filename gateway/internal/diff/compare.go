package diff

import (
	"slices"

	"portcullis/policies/policy"
)

// comparison is one comparison under way.
type comparison struct {
	old, now *side
	// on are the requests that findings are about, none for those about all.
	on     []string
	counts counts
	Report
}

// Compare tells what becomes of requests when new takes the place of old. Both
// must be valid documents.
func Compare(old, new *policy.Document) Report {
	c := &comparison{old: newSide(old), now: newSide(new), counts: counts{}}
	c.gateway()
	g := &pairing{}
	if !g.pair(c.old, c.now) {
		c.say(Unproved, policy.Pos{}, "too many patterns of routes overlap to compare what each handles")
	}
	for _, p := range g.pairs {
		c.pair(p)
	}
	c.on = nil
	c.unrouted()
	c.apart()
	c.clients()
	c.tidy()
	return c.Report
}

func (c *comparison) say(kind Kind, pos policy.Pos, what string) {
	c.Findings = append(c.Findings, Finding{Kind: kind, On: slices.Clone(c.on), What: what, Pos: pos})
}

// gone says something about what the new policies no longer have.
func (c *comparison) gone(kind Kind, pos policy.Pos, what string) {
	c.Findings = append(c.Findings, Finding{Kind: kind, On: slices.Clone(c.on), What: what, Pos: pos, Removed: true})
}

// pair compares what becomes of the requests that two routes handle.
func (c *comparison) pair(p *pair) {
	switch {
	case p.old == nil:
		c.opened(p)
	case p.new == nil:
		c.on = p.on(p.methods)
		c.Findings = append(c.Findings, Finding{Kind: Narrows, On: c.on, What: "has no route any more (before: open to " + p.old.open() + ")", Pos: p.old.Pos, Removed: true, verb: true})
	default:
		c.access(p)
		c.on = p.on(p.methods)
		c.guards(p.old, p.new)
	}
}

// opened tells who reaches what had no route before.
func (c *comparison) opened(p *pair) {
	on := p.on(p.methods)
	opens := func(pos policy.Pos, to string) {
		c.Findings = append(c.Findings, Finding{Kind: Widens, On: on, What: to + " (before: no route)", Pos: pos, verb: true})
	}
	for _, r := range p.new.Allow {
		if enforced(r.Mode) {
			opens(r.Pos, "is now open to "+p.new.whoever(r))
		}
	}
}

// access compares whom the routes of a pair let in, by each method that their
// rules may tell apart.
func (c *comparison) access(p *pair) {
	var finds []find
	methods := map[find][]string{}
	compared := map[[2]string][]find{} // HEAD is most often as GET
	for _, m := range p.methods {
		asked := [2]string{p.old.asked(m), p.new.asked(m)}
		of, known := compared[asked]
		if !known {
			of = newAccess(p.old, p.new, asked).compare()
			compared[asked] = of
		}
		for _, f := range of {
			if methods[f] == nil {
				finds = append(finds, f)
			}
			methods[f] = append(methods[f], m)
		}
	}
	for _, f := range finds {
		c.Findings = append(c.Findings, Finding{Kind: f.kind, On: p.on(methods[f]), What: f.what, Pos: f.pos, Removed: f.removed, verb: true})
	}
	c.on = p.on(p.methods)
	c.shadowed("allow", p.old.Allow, p.new.Allow, p)
	c.shadowed("deny", p.old.Deny, p.new.Deny, p)
}

// shadowed notes rules in shadow that come or go: they decide nothing.
func (c *comparison) shadowed(kind string, old, now []*policy.Rule, p *pair) {
	had := func(list []*policy.Rule, words string, of *served) bool {
		return slices.ContainsFunc(list, func(r *policy.Rule) bool { return !enforced(r.Mode) && of.whoever(r) == words })
	}
	for _, r := range now {
		if words := p.new.whoever(r); !enforced(r.Mode) && !had(old, words, p.old) {
			c.say(Changes, r.Pos, kind+" rule in shadow: "+words)
		}
	}
	for _, r := range old {
		if words := p.old.whoever(r); !enforced(r.Mode) && !had(now, words, p.new) {
			c.gone(Changes, r.Pos, kind+" rule no longer in shadow: "+words)
		}
	}
}

// guards compares what else stands between the caller and the upstream.
func (c *comparison) guards(old, now *served) {
	c.issuers(old, now)
	c.limits(old, now)
	c.profiles(old, now)
	c.validation(old, now)
	c.bounds(old, now)
	c.cors(old, now)
	c.response(old, now)
	c.compressed(old, now)
	c.destination(old, now)
	for _, name := range now.Log {
		if !slices.Contains(policy.Values(old.Log), name.V) {
			c.say(Changes, name.Pos, "events hold the query parameter "+name.V)
		}
	}
}
