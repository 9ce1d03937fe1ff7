package proof

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/gateway/internal/waf/collect"

	"portcullis/gateway/internal/waf/seclang"
)

// pending is a rule that keeps others from something.
type pending struct {
	rule    *seclang.Rule
	links   []*link
	actions []seclang.Action
}

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

// waits tells whether a link depends on what only the body can bring.
func (l *link) waits() bool {
	return slices.ContainsFunc(l.selections, func(s selection) bool { return sources[s.name] != nil && s.name != "REQUEST_HEADERS" })
}

// kind says when a link is decided.
type kind int

const (
	looksAtValues kind = iota // for each value by itself
	counts                    // when all values are known
	looksBack                 // by what earlier links of the rule left behind
)

func (l *link) kind() kind {
	for n := range l.selections {
		s := &l.selections[n]
		switch {
		case s.count:
			return counts
		case s.name == "TX" || s.name == "MATCHED_VAR" || s.name == "MATCHED_VARS":
			return looksBack
		}
	}
	return looksAtValues
}

// link compiles one link; nil when it has to be taken for met. behind says that
// links before the rule's first are constants.
func (c *compiler) link(r, text *seclang.Rule, before []*seclang.Rule, behind bool) (*link, error) {
	l := &link{node: c.root}
	var err error
	if text.Operator == nil {
		return nil, nil // a SecAction
	}
	if l.selections, err = selections(text.Targets); err != nil {
		return nil, err
	}
	if why := c.choose(l, len(before) == 0, behind); why != "" {
		c.refuse(r, why, "that condition counts as met")
		return nil, nil
	}
	if len(l.selections) == 0 {
		l.condition = &condition{operator: func(string, string) bool { return false }}
		l.selections = []selection{{name: "ARGS", key: "\x00 nothing"}}
		return l, nil
	}
	then := "requests with " + variablesOf(text) + " always run the engine"
	if l.condition, err = c.condition(text); err != nil {
		c.refuse(r, err.Error(), then)
		l.condition = always()
		return l, nil
	}
	l.argument = l.argument.fold(c.constants, ownKeys(before))
	if l.kind() == looksAtValues && slices.ContainsFunc(l.argument, func(p piece) bool { return p.variable == "TX" || strings.HasPrefix(p.variable, "MATCHED") }) {
		l.condition = always() // for what values an earlier link left behind, it may be met
		return l, nil
	}
	l.compares()
	chain := text.Transformations
	if last := len(chain) - 1; last >= 0 && strings.EqualFold(chain[last], "lowercase") && !text.Has("multimatch") && l.foldsCase() {
		l.lower, chain = true, chain[:last]
	}
	n := c.root
	for _, name := range chain {
		if n = c.child(n, name); n == nil {
			c.refuse(r, "transformation t:"+name, then)
			l.condition = always()
			return l, nil
		}
	}
	l.node = n
	l.every = text.Has("multimatch")
	l.weight = weightOf(l, text)
	l.captures = text.Has("capture")
	for n := range l.selections {
		if s := &l.selections[n]; s.name == "TX" {
			for key, value := range c.constants {
				if !isCapture(s.key) && s.covers(key, key) {
					l.constants = append(l.constants, value)
				}
			}
		}
	}
	l.assigns = assignments(text)
	for n := range l.assigns {
		a := &l.assigns[n]
		own := ownKeys(append(slices.Clone(before), text))
		a.key, a.value = a.key.fold(c.constants, own), a.value.fold(c.constants, own)
	}
	return l, nil
}

// compares finds the literal that a value must have to be equal to, or to hold,
// the argument.
func (l *link) compares() {
	text, plain := l.argument.plain()
	if !plain || l.negated || len(text) < 2 {
		return
	}
	switch l.name {
	case "contains", "strmatch", "streq", "beginsWith", "endsWith":
		l.need.Sets = [][]string{{text[:min(len(text), 12)]}}
	}
}

func always() *condition { return &condition{operator: func(string, string) bool { return true }} }

// foldsCase tells whether the literals of a condition are found whether a value
// was lowered or not. Text outside ASCII is lowered in ways of its own.
func (l *link) foldsCase() bool {
	if l.negated || len(l.need.Sets) == 0 && l.pattern == nil {
		return false
	}
	for _, set := range l.need.Sets {
		for _, text := range set {
			for i := range len(text) {
				if text[i] >= 0x80 {
					return false
				}
			}
		}
	}
	return true
}

// choose keeps of a link's selections those that can hold something, and says
// what is not understood.
func (c *compiler) choose(l *link, first, behind bool) (why string) {
	var kept []selection
	counted, plain, back := 0, 0, 0
	for _, s := range l.selections {
		if _, fixed := c.constant(&s, nil); fixed && s.name != "TX" {
			if slices.Contains(emptyVariables, s.name) && !s.count {
				continue
			}
			return "the constant " + s.name + " beside other variables"
		}
		switch {
		case s.name == "TX" && s.key == "" && s.expression == nil:
			return "all of TX"
		case s.name == "TX" || s.name == "MATCHED_VAR" || s.name == "MATCHED_VARS":
			if first || behind || s.count {
				return "variable " + s.name + " as an earlier rule left it"
			}
			back++
		case sources[s.name] == nil, sources[s.name][0].OfAnswer() != c.ofAnswer:
			return "variable " + s.name
		case s.count:
			counted++
		default:
			if slices.ContainsFunc(s.except, func(e selection) bool { return e.key == "" && e.expression == nil }) {
				continue // all of it is left out
			}
			plain++
		}
		kept = append(kept, s)
	}
	if counted > 0 && plain+back > 0 {
		return "a number beside values"
	}
	l.selections = kept
	return ""
}

// child is the node that a transformation leads to; nil when it is not known.
func (c *compiler) child(n *node, name string) *node {
	step := c.transformations.Find(name)
	if step == nil {
		return nil
	}
	for _, child := range n.children {
		if child.step == step {
			return child
		}
	}
	child := &node{id: len(c.program.nodes), parent: n, step: step, trigger: triggerOf(step)}
	child.always = n.always || step.Touches(0)
	n.children = append(n.children, child)
	c.program.nodes = append(c.program.nodes, child)
	return child
}

// selector compiles a rule that chooses how bodies are read. That has to be
// known exactly.
func (c *compiler) selector(r *seclang.Rule, links []*seclang.Rule, e effect) error {
	s := &selector{processor: e.processor, force: e.force}
	var ok bool
	if s.links, ok = c.exact(r, links); !ok || r.Phase != 1 {
		c.refuse(r, "how it chooses to read a body", "every request runs the engine")
		c.program.whole = fmt.Sprintf("rule %d chooses how to read a body in a way that is not understood", r.ID)
		return nil
	}
	c.fates[r] = fate{kind: chooses}
	c.program.selectors = append(c.program.selectors, s)
	return nil
}

// exemption notes a rule that keeps others from something, when it can be told
// exactly for which requests it does.
func (c *compiler) exemption(r *seclang.Rule, links []*seclang.Rule, actions []seclang.Action) {
	if len(actions) == 0 {
		return
	}
	refused := len(c.program.unprovable)
	compiled, ok := c.exact(r, links)
	c.program.unprovable = c.program.unprovable[:refused]
	if ok {
		c.pending = append(c.pending, pending{r, compiled, actions})
	}
}

// exact compiles links that must be decided exactly, from the request line, the
// header and the choice of how to read the body.
func (c *compiler) exact(r *seclang.Rule, links []*seclang.Rule) (compiled []*link, ok bool) {
	for n, text := range links {
		if decided, met, _ := c.decide(text, links[:n]); n > 0 && decided && met {
			continue
		}
		if text.Operator == nil || text.Has("setvar") {
			return nil, false
		}
		l, err := c.link(r, text, links[:n], false)
		if err != nil || l == nil || l.kind() != looksAtValues {
			return nil, false
		}
		if _, plain := l.argument.plain(); !plain || l.every {
			return nil, false
		}
		if _, err := c.condition(text); err != nil {
			return nil, false
		}
		for n := range l.selections {
			s := &l.selections[n]
			of := sources[s.name]
			if len(of) != 1 || s.expression != nil || len(s.except) > 0 || of[0] != collect.Headers && !early(of[0]) {
				return nil, false
			}
		}
		compiled = append(compiled, l)
	}
	return compiled, true
}

// early are the variables that a link of exact may look at besides the header.
func early(v collect.Variable) bool {
	switch v {
	case collect.URI, collect.URIRaw, collect.Filename, collect.Basename, collect.Line, collect.Method, collect.Protocol, collect.QueryString,
		collect.RemoteAddr, collect.BodyProcessor:
		return true
	}
	return false
}
