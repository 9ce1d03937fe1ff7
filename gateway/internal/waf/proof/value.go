package proof

import (
	"math/bits"
	"strings"
	"unsafe"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
)

// Value judges one value; false ends the walk.
func (k *Check) Value(v collect.Variable, name, value string) bool {
	k.present[v] = true
	k.loads[v].add(value)
	p := k.program.plans[v]
	lower := ""
	switch v {
	case collect.ArgsGet, collect.ArgsPost:
		if k.arguments[v]++; k.arguments[v] > k.program.limits.Args {
			return k.unsure(collect.ErrArgs.Error())
		}
	case collect.Headers:
		lower = k.lowered(name)
		if of := k.program.fields[lower]; of != nil {
			p = of
		}
	}
	for _, s := range p.counted {
		if s.covers(name, k.lowered(name)) {
			k.counted[s.number]++
		}
	}
	if !p.any {
		return true
	}
	how := remembers(v, lower, value)
	if how == never {
		return k.judge(p, v, name, value)
	}
	if r := k.program.memory.find(p, value, how); r != nil {
		for _, l := range r.met {
			if !k.meets(l, v, name, value) {
				return false
			}
		}
		for _, of := range r.kept {
			if !k.keep(of) {
				return false
			}
		}
		return true
	}
	k.pure, k.metNow, k.keptNow = true, k.metNow[:0], k.keptNow[:0]
	if !k.judge(p, v, name, value) {
		return false
	}
	// Once a rule has been found, not all that a value meets is looked for.
	if k.pure && k.verdict.Clean {
		k.program.memory.keep(p, value, how, k.metNow, k.keptNow)
	}
	return true
}

// lowered is a name in lower case; it lives until the next call.
func (k *Check) lowered(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			return k.toLower(name)
		}
	}
	return name
}

func (k *Check) toLower(name string) string {
	k.lower = k.lower[:0]
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 {
			return strings.ToLower(name)
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		k.lower = append(k.lower, c)
	}
	return unsafe.String(unsafe.SliceData(k.lower), len(k.lower))
}

// judge looks for links that a value meets.
func (k *Check) judge(p *plan, v collect.Variable, name, value string) bool {
	m := match.MaskOf(value)
	if k.stamp++; k.stamp == 0 {
		clear(k.stamps)
		k.stamp = 1
	}
	k.values[0], k.masks[0], k.stamps[0] = value, m, k.stamp
	if p.trigger&m == 0 {
		if !k.scan(&p.links, p, v, name, value, m) {
			return false
		}
	} else if !k.transformed(p, v, name, m) {
		return false
	}
	for i := range p.rewriting {
		c := &p.rewriting[i]
		if !c.aliveRewritten(m, len(value)) {
			continue
		}
		w, wm := k.node(c.node)
		if len(w) >= c.shortest && !k.scan(&c.links, p, v, name, w, wm) {
			return false
		}
	}
	return true
}

// transformed judges a value through all chains; what several leave alike is
// read once.
func (k *Check) transformed(p *plan, v collect.Variable, name string, m match.Mask) bool {
	n := 0
chains:
	for i := range p.chains {
		c := &p.chains[i]
		if !c.alive(m) {
			continue
		}
		w, wm := k.node(c.node)
		for g := range k.groups[:n] {
			if of := &k.groups[g]; len(of.value) == len(w) && unsafe.StringData(of.value) == unsafe.StringData(w) {
				for i := range of.links {
					of.links[i] |= c.links[i]
				}
				continue chains
			}
		}
		if n == mostGroups {
			return k.unsure("too many transformations")
		}
		k.groups[n] = group{w, wm, c.links}
		n++
	}
	for g := range n {
		of := &k.groups[g]
		if !k.scan(&of.links, p, v, name, of.value, of.mask) {
			return false
		}
	}
	return true
}

const mostGroups = 64

// group is a value as several chains left it.
type group struct {
	value string
	mask  match.Mask
	links set
}

// node is the value at hand at the end of a chain, and its mask.
func (k *Check) node(n *node) (string, match.Mask) {
	if k.stamps[n.id] == k.stamp {
		return k.values[n.id], k.masks[n.id]
	}
	value, m := k.node(n.parent)
	if n.step.Touches(0) || n.trigger&m != 0 {
		if w := n.step.Apply(&k.arena, value); len(w) != len(value) || unsafe.StringData(w) != unsafe.StringData(value) {
			value, m = w, match.MaskOf(w)
		}
	}
	k.values[n.id], k.masks[n.id], k.stamps[n.id] = value, m, k.stamp
	return value, m
}

// scan reads a value once and looks closer at the links it may meet.
func (k *Check) scan(links *set, p *plan, v collect.Variable, name, value string, m match.Mask) bool {
	program := k.program
	all := program.automaton.Candidates(value, k.found, k.candidates)
	cleared, asked := false, false
	for w := range k.candidates {
		candidates := k.candidates[w] & links[w] &^ k.done[w]
		if candidates == 0 {
			continue
		}
		if program.union != nil && candidates&program.unions[w] != 0 {
			if !asked {
				asked, cleared = true, !program.union.Match(value)
			}
			if cleared {
				candidates &^= program.unions[w]
			}
		}
		for ; candidates != 0; candidates &= candidates - 1 {
			l := program.links[w*64+bits.TrailingZeros64(candidates)]
			if !k.candidate(l, p, v, name, value, m, all) {
				return false
			}
		}
	}
	return true
}

// candidate decides whether a value meets a link; false ends the walk.
func (k *Check) candidate(l *link, p *plan, v collect.Variable, name, value string, m match.Mask, all bool) bool {
	for _, need := range l.need.Masks {
		if m&need == 0 {
			return true
		}
	}
	if p.picky.has(l.bit) && !l.covers(v, name, k.lowered(name)) {
		k.pure = false // under another name it may be judged otherwise
		return true
	}
	if l.lower {
		value = k.program.lowercase.Apply(&k.arena, value)
	}
	if l.untangles {
		if !k.untangles(value) {
			return false
		}
		if !k.verdict.Clean && k.keeps(l.rule) && !l.rule.upsets {
			return true // nothing more can be found out
		}
	}
	if !l.sure || all {
		argument, known := k.argument(l)
		if known && l.operator(value, argument) == l.negated {
			return true
		}
	}
	return k.meets(l, v, name, value)
}

// argument is what a link compares values with, as far as the head tells.
func (k *Check) argument(l *link) (text string, known bool) {
	if len(l.argument) == 0 {
		return "", true
	}
	if len(l.argument) == 1 && l.argument[0].variable == "" {
		return l.argument[0].text, true
	}
	return k.expand(l.argument, nil)
}

// meets notes that a value has met a link, and decides rules that need no more.
func (k *Check) meets(l *link, v collect.Variable, name, value string) bool {
	r := l.rule
	switch {
	case k.exempted(r, v):
		// Were it not, by what a rule with an effect does, it would be met.
		k.pure, k.upset = false, k.upset || r.upsets
		return k.keep(r)
	case len(r.links) == 1:
		k.unread[r.number] = l.unread(value)
		return k.finds(r, "a rule") && k.affords(l, value)
	case !k.verdict.Clean && !r.upsets:
		// Whether the rest of it is met does not matter any more.
		return k.keep(r) && k.affords(l, value)
	}
	if r.immediate {
		k.keptNow = append(k.keptNow, r)
		k.state.reset()
		if k.leave(&leaving{l, v, name, value}) || k.looksBack(r.contexts[0]) {
			return k.finds(r, "a chain")
		}
		return k.keep(r)
	}
	if l.node.step != nil || l.lower {
		k.pure = false // it was another value that met the link
	}
	k.metNow = append(k.metNow, l)
	n := r.number
	if k.met[n] == 0 {
		k.touched = append(k.touched, r)
	}
	k.met[n] |= 1 << l.number
	if len(r.contexts) > 0 {
		if len(k.left) == mostLeft {
			return k.finds(r, "many values that meet a part of a rule")
		}
		k.left = append(k.left, leaving{l, v, name, value})
	}
	return k.keep(r)
}

const mostLeft = 64

// leaving is what a value left behind that met a link of a longer rule.
type leaving struct {
	link     *link
	variable collect.Variable
	name     string
	value    string
}

// exempted tells whether another rule keeps this one from the variable.
func (k *Check) exempted(r *rule, v collect.Variable) bool {
	for _, x := range r.exempt {
		if k.exempt>>x.number&1 == 1 && (x.variable == v || x.variable == collect.Variables) {
			return true
		}
	}
	return false
}
