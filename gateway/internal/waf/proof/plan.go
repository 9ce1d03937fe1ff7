package proof

import (
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
)

// plan says what to do with the values of one variable, or of one header field.
type plan struct {
	// links are those that look at it through steps that leave most values as
	// they are; trigger is a mask of which every value has a bit that one of
	// the steps changes.
	links   set
	trigger match.Mask
	chains  []chain
	// rewriting are the chains with a step that changes every value.
	rewriting []chain
	any       bool
	number    int
	// picky are the links that look at some members only.
	picky set
	// counted are the selections that count members.
	counted []*selection
}

// plan arranges all links by what they look at.
func (c *compiler) plan() error {
	p := c.program
	needs := make([]match.Need, len(p.links))
	var bare []*match.Pattern
	for n, l := range p.links {
		needs[n] = l.need
		// Only of those that look at arguments: of the others some match nearly every
		// text, such as any media type, and no text would be cleared.
		if l.pattern != nil && !l.negated && !l.pattern.Bytewise() && len(l.need.Sets)+len(l.need.Masks) == 0 && !l.lower &&
			(l.looksAt(collect.ArgsPost) || l.looksAt(collect.ArgsPostNames)) {
			bare = append(bare, l.pattern)
			p.unions.add(l.bit)
		}
	}
	var err error
	if p.automaton, err = c.automata.Of(needs); err != nil {
		return err
	}
	if len(bare) > 1 {
		if p.union, err = match.Union(bare, c.budget); err != nil {
			return err
		}
	}
	for v := range p.plans {
		p.plans[v] = &plan{number: v}
	}
	names := c.fieldNames()
	for n, name := range names {
		p.fields[name] = &plan{number: int(collect.Variables) + n}
	}
	for _, l := range p.links {
		for v := range collect.Variables {
			if !l.looksAt(v) {
				continue
			}
			if v != collect.Headers {
				p.plans[v].add(l, l.picks(v))
				continue
			}
			// A field has a plan of its own when a link asks for it by name; only
			// an expression can pick among the others.
			if l.covers(v, "", "") || l.asks() {
				p.plans[v].add(l, l.asks())
			}
			for _, name := range names {
				if l.covers(v, name, name) {
					p.fields[name].add(l, false)
				}
			}
		}
	}
	for _, r := range p.rules {
		for _, l := range r.counts {
			for n := range l.selections {
				s := &l.selections[n]
				s.number = p.counting
				p.counting++
				if s.name == "REQUEST_HEADERS" {
					continue // counted when asked
				}
				for _, v := range sources[s.name] {
					p.plans[v].counted = append(p.plans[v].counted, s)
				}
			}
		}
	}
	for _, l := range p.plans {
		l.finish(p)
	}
	for _, l := range p.fields {
		l.finish(p)
	}
	return nil
}

// fieldNames are the header fields that some link asks for, or leaves out, by
// name.
func (c *compiler) fieldNames() (names []string) {
	seen := map[string]bool{"": true}
	add := func(s *selection) {
		if name := strings.ToLower(s.key); !seen[name] && s.expression == nil {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, l := range c.program.links {
		for n := range l.selections {
			s := &l.selections[n]
			if s.name == "REQUEST_HEADERS" {
				add(s)
				for e := range s.except {
					add(&s.except[e])
				}
			}
		}
	}
	return names
}

// looksAt tells whether the link may look at some member of a variable.
func (l *link) looksAt(v collect.Variable) bool {
	for n := range l.selections {
		s := &l.selections[n]
		for _, source := range sources[s.name] {
			if source == v && !s.count {
				return true
			}
		}
	}
	return false
}

// asks tells whether the link picks header fields by an expression.
func (l *link) asks() bool {
	for n := range l.selections {
		s := &l.selections[n]
		if s.name != "REQUEST_HEADERS" || s.count {
			continue
		}
		if s.expression != nil {
			return true
		}
		for e := range s.except {
			if s.except[e].expression != nil {
				return true
			}
		}
	}
	return false
}

func (p *plan) add(l *link, picky bool) {
	p.any = true
	if picky {
		p.picky.add(l.bit)
	}
	p.at(l.node, l)
	if l.every {
		for n := l.node; n.step != nil; n = n.parent {
			p.at(n.parent, l)
		}
	}
}

// at has a link look at what a node makes of values.
func (p *plan) at(n *node, l *link) {
	chains := &p.chains
	if n.always {
		chains = &p.rewriting
	} else {
		p.links.add(l.bit)
		for step := n; step.step != nil; step = step.parent {
			p.trigger |= step.trigger
		}
	}
	for i := range *chains {
		if (*chains)[i].node == n {
			(*chains)[i].links.add(l.bit)
			return
		}
	}
	*chains = append(*chains, chain{node: n})
	(*chains)[len(*chains)-1].links.add(l.bit)
}

// finish works out what rules values out for whole chains.
func (p *plan) finish(program *Program) {
	for _, chains := range [][]chain{p.chains, p.rewriting} {
		for i := range chains {
			c := &chains[i]
			all := true
			c.shortest = 1 << 30
			for _, l := range program.links {
				if !c.links.has(l.bit) {
					continue
				}
				c.masks = append(c.masks, l.need.Masks)
				all = all && len(l.need.Masks) > 0
				c.shortest = min(c.shortest, shortest(l.need))
			}
			if !all {
				c.masks = nil
			}
			if !c.shrinks() {
				c.shortest = 0
			}
		}
	}
}
