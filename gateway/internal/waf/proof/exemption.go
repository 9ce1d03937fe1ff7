package proof

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/seclang"
)

// exemption is a rule that keeps others from a target, or altogether.
type exemption struct {
	links []*link
	// variable is what they are kept from; Variables for everything.
	variable collect.Variable
	number   int
}

// selector chooses how the body is read.
type selector struct {
	links     []*link
	processor string // in upper case
	force     bool
}

// pending is a rule that keeps others from something.
type pending struct {
	rule    *seclang.Rule
	links   []*link
	actions []seclang.Action
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
		if err != nil || l == nil || l.guessed || l.kind() != looksAtValues {
			return nil, false
		}
		if _, plain := l.argument.plain(); !plain || l.every {
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

// exempt ties rules that keep others from something to these. What is not plain
// is left out: then the others look at more than the engine would let them.
func (c *compiler) exempt() error {
	for _, pending := range c.pending {
		for _, a := range pending.actions {
			variable := collect.Variables
			var from []*seclang.Rule
			switch {
			case a.Name == "skip" || a.Name == "skipafter":
				from = c.skipped(pending.rule, a)
			default:
				name, value, _ := strings.Cut(a.Value, "=")
				what, target, _ := strings.Cut(value, ";")
				of := sources[strings.ToUpper(target)]
				if !strings.EqualFold(name, "ruleRemoveTargetByTag") || len(of) != 1 {
					continue
				}
				variable = of[0]
				for _, r := range c.policy.Rules {
					if slices.Contains(r.Actions, seclang.Action{Name: "tag", Value: what}) && c.follows(pending.rule, r) {
						from = append(from, r)
					}
				}
			}
			x := &exemption{links: pending.links, variable: variable, number: len(c.program.exempting)}
			if c.undone(pending.rule, from) {
				continue
			}
			used := false
			for _, r := range from {
				if compiled := c.compiled[r]; compiled != nil {
					compiled.exempt = append(compiled.exempt, x)
					used = true
				}
			}
			if used {
				c.program.exempting = append(c.program.exempting, x)
			}
		}
	}
	return nil
}

// undone tells whether a rule of the policy may take away the one that keeps
// others from something, and leave one of these.
func (c *compiler) undone(keeper *seclang.Rule, kept []*seclang.Rule) bool {
	for _, r := range c.conditional {
		for _, link := range r.Links() {
			for _, a := range link.Actions {
				takes := c.takes(r, a)
				if takes != nil && takes(keeper) && slices.ContainsFunc(kept, func(k *seclang.Rule) bool { return !takes(k) }) {
					return true
				}
			}
		}
	}
	return false
}
