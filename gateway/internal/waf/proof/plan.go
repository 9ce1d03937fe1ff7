package proof

import (
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/transform"
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

// chain is a chain of transformations and who looks at its end.
type chain struct {
	node  *node
	links set
	// masks holds the masks of all links; nil when one has none, and so may be
	// met by any value.
	masks [][]match.Mask
	// shortest is how long a value must be at the end of the chain to have a
	// literal of one of the links.
	shortest int
}

// decoders are bytes of which a transformation can make any other byte.
var decoders = match.MaskOfByte('%') | match.MaskOfByte('&') | match.MaskOfByte('\\') | match.High

// growers are bytes that a transformation can make longer.
var growers = match.MaskOfByte('&') | match.MaskOfByte('\\') | match.High

// alive tells whether a value of this mask can meet one of the links at the end
// of a chain.
func (c *chain) alive(m match.Mask) bool {
	if c.masks == nil || m&decoders != 0 {
		return true
	}
	m |= match.MaskOfByte(' ') // comments and pluses become spaces
	if m&(match.Upper|match.Lower) != 0 {
		m |= match.Upper | match.Lower
	}
next:
	for _, masks := range c.masks {
		for _, need := range masks {
			if m&need == 0 {
				continue next
			}
		}
		return true
	}
	return false
}

// triggerOf is a mask of which every value has a bit that a transformation
// changes.
func triggerOf(t *transform.Transformation) (m match.Mask) {
	var bytes []byte
	for b := range 256 {
		if t.Touches(transform.SignsOf(string([]byte{byte(b)}))) {
			m |= match.MaskOfByte(byte(b))
		} else if b < 0x80 && !('0' < b && b <= '9' || 'a' < b && b <= 'z' || 'A' < b && b <= 'Z') {
			bytes = append(bytes, byte(b))
		}
	}
	// Some look at two bytes side by side; then either of them is a sign.
	for _, a := range bytes {
		for _, b := range bytes {
			if t.Touches(transform.SignsOf(string([]byte{'x', a, b, 'x'}))) || t.Touches(transform.SignsOf(string([]byte{a, b}))) {
				m |= match.MaskOfByte(a) | match.MaskOfByte(b)
			}
		}
	}
	return m
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

// shortest is the length of the shortest literal of the first set; 0 when there
// is none. Characters that fold to letters are longer than these.
func shortest(need match.Need) int {
	if len(need.Sets) == 0 {
		return 0
	}
	least := len(need.Sets[0][0])
	for _, text := range need.Sets[0] {
		least = min(least, len(text))
	}
	return least
}

// aliveRewritten tells whether a value can be long enough at the end of a chain
// that decodes it.
func (c *chain) aliveRewritten(m match.Mask, length int) bool {
	return m&growers != 0 || length >= c.shortest
}

// shrinks tells whether no step of a chain makes ordinary text longer.
func (c *chain) shrinks() bool {
	for n := c.node; n.step != nil; n = n.parent {
		switch n.step.Name {
		case "length", "hexencode", "sha1", "md5":
			return false
		}
	}
	return true
}
