package proof

import (
	"fmt"
	"slices"

	"portcullis/gateway/internal/waf/seclang"
)

// dynamic compiles a rule that the request decides. Its links up to first match
// every request.
func (c *compiler) dynamic(r *seclang.Rule, all []*seclang.Rule, first int) error {
	links := all[first:]
	c.conditional = append(c.conditional, r)
	e := c.effect(r, links)
	switch {
	case e.at >= 0:
	case e.processor != "" || e.force:
		return c.selector(r, links, e)
	default:
		c.exemption(r, links, e.exempts)
		return nil
	}
	compiled := &rule{id: r.ID, phase: r.Phase}
	lost := false // a link that leaves behind what later ones may look at
	for n, text := range links[:e.at+1] {
		if decided, met, _ := c.decide(text, links[:n]); n > 0 && decided && met {
			lost = true
			continue
		}
		l, err := c.link(r, text, links[:n], first > 0)
		if err != nil {
			return err
		}
		if l != nil && l.kind() == looksBack && (lost || c.valuesFollow(links[n+1:e.at+1])) {
			l = nil
		}
		if l == nil {
			lost = true
			continue // nothing is known about it: it may be met by any request
		}
		lost = lost || l.guessed // what it leaves behind is not known either
		l.rule, l.number, l.foreign = compiled, len(compiled.links), e.foreign[n]
		compiled.links = append(compiled.links, l)
		if n == 0 && first == 0 {
			compiled.head = l
		}
		switch l.kind() {
		case looksAtValues:
			compiled.wanted |= 1 << l.number
			l.bit = len(c.program.links)
			c.program.links = append(c.program.links, l)
		case counts:
			compiled.counts = append(compiled.counts, l)
			lost = true // a number, and what it sets, is not told to later links
		case looksBack:
			compiled.contexts = append(compiled.contexts, l)
		}
	}
	if len(compiled.links) == 0 || compiled.wanted == 0 && len(compiled.counts) == 0 {
		c.refuse(r, "what it looks at", "every request runs the engine")
		c.program.whole = fmt.Sprintf("rule %d is not provable", r.ID)
		return nil
	}
	if len(compiled.links) > 32 {
		return fmt.Errorf("a chain of %d links", len(compiled.links))
	}
	for _, l := range append(slices.Clone(compiled.counts), compiled.contexts...) {
		compiled.waits = compiled.waits || l.waits()
	}
	compiled.immediate = compiled.wanted == 1 && len(compiled.counts) == 0 && len(compiled.contexts) == 1 && !compiled.waits
	if compiled.wanted == 0 {
		c.program.totals = append(c.program.totals, compiled)
	}
	if compiled.head != nil && compiled.head.kind() == counts && compiled.wanted != 0 {
		compiled.head = nil
	}
	compiled.number = len(c.program.rules)
	c.program.rules = append(c.program.rules, compiled)
	c.compiled[r] = compiled
	return nil
}

// valuesFollow tells whether one of these links looks at values: what it leaves
// behind cannot be told from what a link before it saw.
func (c *compiler) valuesFollow(links []*seclang.Rule) bool {
	return slices.ContainsFunc(links, func(text *seclang.Rule) bool {
		return slices.ContainsFunc(text.Targets, func(t seclang.Target) bool { return sources[t.Variable] != nil && !t.Count && !t.Except })
	})
}
