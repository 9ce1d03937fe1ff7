package proof

import (
	"testing"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
)

// TestEachSabotageIsCaught breaks the compiled program on purpose, one place at
// a time. The Core Rule Set's own tests must show each: a wrong verdict that
// they would not find may be there already.
func TestEachSabotageIsCaught(t *testing.T) {
	t.Parallel()
	p := program(t, 1, "")
	_, w := shared(t)
	var requests []suiteRequest
	for _, r := range suite(t) {
		if bodied(r.request) == "multipart" {
			r.request = onLines(r.request) // or all are unsure, and show nothing
		}
		requests = append(requests, r)
	}
	// The suite's parts in odd encodings are unsure for their framing already.
	requests = append(requests, suiteRequest{"a part that says 7bit", post("multipart/form-data; boundary=b",
		"--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx\r\n--b--\r\n")})
	honest := make([]bool, len(requests))
	for n, r := range requests {
		honest[n] = p.asked(r.request).Clean
	}
	// caught tells whether a request is now said to be clean that is not.
	caught := func() (by string) {
		p.memory = newMemory()
		for n, r := range requests {
			if !honest[n] && p.asked(r.request).Clean && effects(w, r.request) != "" {
				return r.name
			}
		}
		return ""
	}
	everyPlan := func(f func(*plan)) {
		for _, of := range p.plans {
			f(of)
		}
		for _, of := range p.fields {
			f(of)
		}
	}
	eachIsCaught(t, caught, map[string]func() (undo func()){
		"values are not transformed": func() func() {
			was := map[*plan]match.Mask{}
			everyPlan(func(of *plan) { was[of], of.trigger = of.trigger, 0 })
			return func() { everyPlan(func(of *plan) { of.trigger = was[of] }) }
		},
		"a step of a chain is left out": func() func() {
			var was []match.Mask
			for _, n := range p.nodes {
				was = append(was, n.trigger)
				if n.step != nil && n.step.Name == "urldecodeuni" {
					n.trigger = 0
				}
			}
			return func() {
				for i, n := range p.nodes {
					n.trigger = was[i]
				}
			}
		},
		"chains that decode are left out": func() func() {
			was := map[*plan][]chain{}
			everyPlan(func(of *plan) { was[of], of.rewriting = of.rewriting, nil })
			return func() { everyPlan(func(of *plan) { of.rewriting = was[of] }) }
		},
		"names are not looked at": func() func() {
			was := p.plans[collect.ArgsGetNames]
			p.plans[collect.ArgsGetNames] = &plan{}
			return func() { p.plans[collect.ArgsGetNames] = was }
		},
		"one header field is not looked at": func() func() {
			was := p.fields["user-agent"]
			p.fields["user-agent"] = &plan{}
			return func() { p.fields["user-agent"] = was }
		},
		"patterns without a literal never match": func() func() {
			was := p.union
			p.union, _ = match.NewDFA(`[^\x00-\x{10FFFF}]`, match.NewBudget(1<<20))
			return func() { p.union = was }
		},
		"literals are found in lower case only": func() func() {
			was := p.automaton
			needs := make([]match.Need, len(p.links))
			for n, l := range p.links {
				needs[n] = l.need
				if l.lower {
					needs[n].Sets = [][]string{{"never there"}}
				}
			}
			p.automaton, _ = match.NewAutomaton(needs)
			return func() { p.automaton = was }
		},
		"a mask asks for too much": func() func() {
			was := make([]match.Need, len(p.links))
			for n, l := range p.links {
				was[n] = l.need
				if len(l.need.Masks) > 0 {
					l.need.Masks = append(l.need.Masks[:1:1], match.MaskOfByte('~'))
				}
			}
			return func() {
				for n, l := range p.links {
					l.need = was[n]
				}
			}
		},
		"negated conditions are never met": func() func() {
			was := map[*link]operator{}
			for _, l := range p.links {
				if l.negated {
					was[l], l.operator = l.operator, func(string, string) bool { return true }
				}
			}
			return func() {
				for l, of := range was {
					l.operator = of
				}
			}
		},
		"chains wait for a link that is not there": func() func() {
			for _, r := range p.rules {
				r.wanted |= 1 << 31
			}
			return func() {
				for _, r := range p.rules {
					r.wanted &^= 1 << 31
				}
			}
		},
		"what values leave behind is forgotten": func() func() {
			var were []*rule
			var contexts [][]*link
			for _, r := range p.rules {
				if r.immediate {
					were, contexts = append(were, r), append(contexts, r.contexts)
					r.contexts = []*link{{selections: []selection{{name: "TX", key: "nobody sets it"}}, condition: always(), node: p.nodes[0]}}
				}
			}
			return func() {
				for n, r := range were {
					r.contexts = contexts[n]
				}
			}
		},
		"numbers are not counted": func() func() {
			was := p.totals
			p.totals = nil
			return func() { p.totals = was }
		},
		"names of files are not looked at": func() func() {
			was := p.plans[collect.Files]
			p.plans[collect.Files] = &plan{}
			return func() { p.plans[collect.Files] = was }
		},
		"headers of parts are not looked at": func() func() {
			was := p.plans[collect.MultipartPartHeaders]
			p.plans[collect.MultipartPartHeaders] = &plan{counted: was.counted}
			return func() { p.plans[collect.MultipartPartHeaders] = was }
		},
		"members are counted, but none of a form": func() func() {
			was := p.plans[collect.MultipartPartHeaders].counted
			p.plans[collect.MultipartPartHeaders].counted = nil
			return func() { p.plans[collect.MultipartPartHeaders].counted = was }
		},
		"texts and attributes of XML are not looked at": func() func() {
			was := p.plans[collect.XML]
			p.plans[collect.XML] = &plan{}
			return func() { p.plans[collect.XML] = was }
		},
		"exemptions hold for every request": func() func() {
			for _, x := range p.exempting {
				for _, l := range x.links {
					l.negated = !l.negated
				}
			}
			var were [][]*exemption
			x := &exemption{variable: collect.Variables}
			for _, r := range p.rules {
				were = append(were, r.exempt)
				r.exempt = append(r.exempt[:len(r.exempt):len(r.exempt)], x)
			}
			return func() {
				for _, x := range p.exempting {
					for _, l := range x.links {
						l.negated = !l.negated
					}
				}
				for n, r := range p.rules {
					r.exempt = were[n]
				}
			}
		},
	})
}

// eachIsCaught wants each sabotage to be caught by a request, which caught names,
// and none once all are undone.
func eachIsCaught(t *testing.T, caught func() (by string), sabotages map[string]func() (undo func())) {
	t.Helper()
	for name, sabotage := range sabotages {
		t.Run(name, func(t *testing.T) {
			restore := sabotage()
			by := caught()
			restore()
			if by == "" {
				t.Error("nothing shows it")
			}
			t.Log("caught by ", by)
		})
	}
	if by := caught(); by != "" {
		t.Errorf("the sabotage was not undone: %s", by)
	}
}
