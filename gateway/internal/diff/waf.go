package diff

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/policies/policy"
)

// profiles compares how requests are inspected.
func (c *comparison) profiles(old, now *served) {
	was, is := old.inspects(), now.inspects()
	switch {
	case was == nil && is == nil:
	case was == nil:
		c.say(Narrows, is.Pos, "WAF profile "+is.Name.V+" inspects it")
	case is == nil && now.NoWAF.Set:
		c.say(Widens, now.NoWAF.Pos, "no WAF inspects it any more")
	case is == nil:
		c.inShadow(now)
	default:
		c.profile(was, is)
	}
	if was != nil && is == nil {
		return // the shadow has been told
	}
	for _, name := range now.Effective.WAF {
		if p := now.side.waf[name.V]; p != nil && !enforced(p.Mode) && !slices.ContainsFunc(old.Effective.WAF, func(n policy.Value[string]) bool {
			o := old.side.waf[n.V]
			return o != nil && !enforced(o.Mode)
		}) {
			c.say(Changes, p.Pos, "WAF profile "+p.Name.V+" in shadow")
		}
	}
}

func (c *comparison) inShadow(now *served) {
	for _, name := range now.Effective.WAF {
		if p := now.side.waf[name.V]; p != nil {
			c.say(Widens, p.Pos, "WAF profile "+p.Name.V+" is in shadow and refuses nothing")
			return
		}
	}
	c.say(Widens, now.Pos, "no WAF inspects it any more")
}

// inspects is the one profile of a route that refuses, or nil.
func (r *served) inspects() *policy.WAFProfile {
	for _, name := range r.Effective.WAF {
		if p := r.side.waf[name.V]; p != nil && enforced(p.Mode) {
			return p
		}
	}
	return nil
}

func (c *comparison) profile(was, is *policy.WAFProfile) {
	name := "WAF profile " + is.Name.V + " "
	c.lower(at(is.Paranoia.Blocking, is.Pos), name+"refuses by rules up to paranoia", was.Paranoia.Blocking.Or(policy.DefaultParanoia), is.Paranoia.Blocking.Or(policy.DefaultParanoia))
	c.lower(at(is.Paranoia.Detection, is.Pos), name+"reports by rules up to paranoia", detection(was), detection(is))
	c.higher(at(is.Threshold.Inbound, is.Pos), name+"refuses requests from a score of", was.Threshold.Inbound.Or(policy.DefaultInbound), is.Threshold.Inbound.Or(policy.DefaultInbound))
	c.higher(at(is.Threshold.Outbound, is.Pos), name+"refuses answers from a score of", was.Threshold.Outbound.Or(policy.DefaultOutbound), is.Threshold.Outbound.Or(policy.DefaultOutbound))
	c.higher(at(is.Inspect.Args, is.Pos), name+"takes arguments up to", was.Inspect.Args.Or(policy.DefaultArgs), is.Inspect.Args.Or(policy.DefaultArgs))
	c.higher(at(is.Inspect.Depth, is.Pos), name+"takes JSON nested up to", was.Inspect.Depth.Or(policy.DefaultDepth), is.Inspect.Depth.Or(policy.DefaultDepth))
	c.sizes(at(is.Inspect.Body, is.Pos), name+"takes bodies up to", was.Inspect.Body.Or(policy.DefaultInspectBody), is.Inspect.Body.Or(policy.DefaultInspectBody))
	c.longer(at(is.Inspect.Cost, is.Pos), name+"asks rules about what costs them up to", costOf(was), costOf(is))
	switch before, now := was.Inspect.Over.Or(policy.DefaultOver), is.Inspect.Over.Or(policy.DefaultOver); {
	case before == now:
	case now == policy.DefaultOver:
		c.say(Narrows, at(is.Inspect.Over, is.Pos), name+"refuses what would cost too much to inspect")
	default:
		c.say(Widens, at(is.Inspect.Over, is.Pos), name+"lets pass uninspected what would cost too much to inspect")
	}
	c.formats(was, is)
	c.answersInspected(was, is)
	c.exclusions(was, is)
	c.patches(was, is)
}

// costOf is the bound on what the rules may take; without a proof there is one
// for all.
func costOf(p *policy.WAFProfile) time.Duration {
	if p.Proof.V == "off" {
		return time.Second
	}
	return p.Inspect.Cost.Or(policy.DefaultCost)
}

// formats tells of kinds of bodies that are taken now and were not, or the
// other way round.
func (c *comparison) formats(was, is *policy.WAFProfile) {
	pos := is.Pos
	if len(is.Inspect.Formats) > 0 {
		pos = is.Inspect.Formats[0].Pos
	}
	before, after := was.Inspect.Taken(), is.Inspect.Taken()
	for _, f := range after {
		if !slices.Contains(before, f) {
			c.say(Widens, pos, "WAF profile "+is.Name.V+" takes bodies of the format "+f)
		}
	}
	for _, f := range before {
		if !slices.Contains(after, f) {
			c.say(Narrows, pos, "WAF profile "+is.Name.V+" takes bodies of the format "+f+" no more")
		}
	}
}

func detection(p *policy.WAFProfile) int {
	return p.Paranoia.Detection.Or(p.Paranoia.Blocking.Or(policy.DefaultParanoia))
}

// excluded is one rule that does not look at one target.
type excluded struct {
	rule   int
	target string
}

func (c *comparison) exclusions(was, is *policy.WAFProfile) {
	of := func(p *policy.WAFProfile) map[excluded]*policy.Exclusion {
		all := map[excluded]*policy.Exclusion{}
		for _, e := range p.Exclusions {
			for _, r := range e.Rules {
				all[excluded{r.V, e.Target.V}] = e
			}
		}
		return all
	}
	before, after := of(was), of(is)
	c.excluded(Widens, is.Exclusions, before, c.say, "no longer look at")
	c.excluded(Narrows, was.Exclusions, after, c.gone, "look again at")
	for k, e := range after {
		if o := before[k]; o != nil && e.Expires.V.After(o.Expires.V) {
			c.say(Changes, e.Pos, fmt.Sprintf("the exclusion of %s is meant to last longer", e.Target.V))
		}
	}
}

func (c *comparison) excluded(kind Kind, list []*policy.Exclusion, unless map[excluded]*policy.Exclusion, say func(Kind, policy.Pos, string), what string) {
	for _, e := range list {
		var rules []string
		for _, r := range e.Rules {
			if unless[excluded{r.V, e.Target.V}] == nil {
				rules = append(rules, fmt.Sprint(r.V))
			}
		}
		if len(rules) > 0 {
			say(kind, e.Pos, fmt.Sprintf("WAF rules %s %s %s", strings.Join(rules, ", "), what, e.Target.V))
		}
	}
}
