package proof

import (
	"maps"
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/seclang"
)

// The last phases of a request and of its answer; what comes then only logs.
const lastOfRequest, lastOfAnswer = 2, 4

// answers compiles the rules for the answers to requests that are clean. They
// have an automaton of their own, as no value is looked at by both. The ground
// is the same: a request that is clean leaves the variables of a transaction as
// they are for every other, also those that only rules for answers read.
func (c *compiler) answers() error {
	a := newCompiler(c.files, c.policy, c.transformations, c.fixed, c.budget)
	a.ofAnswer, a.last = true, lastOfAnswer
	a.constants, a.readers = maps.Clone(c.constants), c.readers
	a.program.limits = c.program.limits
	a.program.narrowing.off = "all rules are asked about an answer"
	a.automata = c.automata
	for phase := lastOfRequest + 1; phase <= lastOfAnswer; phase++ {
		if err := a.phase(phase); err != nil {
			return err
		}
	}
	if err := a.exempt(); err != nil {
		return err
	}
	if err := a.finish(); err != nil {
		return err
	}
	c.program.answer = a.program
	inPlace := strings.NewReplacer("every request", "every answer", "requests with", "answers with")
	for _, u := range a.program.unprovable {
		u.Why, u.Then = inPlace.Replace(u.Why), inPlace.Replace(u.Then)
		c.program.unprovable = append(c.program.unprovable, u)
	}
	return nil
}

// depends tells whether a rule is one that no constant decides: its first link
// looks at the answer. Then it sets variables only where it is met.
func (c *compiler) depends(r *seclang.Rule) bool {
	if !c.ofAnswer {
		return false
	}
	for _, t := range r.Targets {
		if of := sources[t.Variable]; of != nil && of[0].OfAnswer() && !t.Except {
			return true
		}
	}
	return false
}

// Answer proves the answer to a request that is clean. Neither must change
// meanwhile. It is safe for concurrent use.
func (p *Program) Answer(a *collect.Answer, body string) Verdict {
	if p.answer == nil {
		return Verdict{Why: "the policy does not look at answers"}
	}
	k := p.answer.Begin()
	v := k.answer(a, body)
	k.End() // after a panic it is not given back, half changed, to the next
	return v
}

func (k *Check) answer(a *collect.Answer, body string) Verdict {
	p := k.program
	k.anew()
	k.body = true
	switch {
	case p.whole != "":
		k.unsure(p.whole)
		return k.verdict
	case int64(len(body)) >= p.limits.answer:
		k.unsure("the answer is as long as the engine's limit")
		return k.verdict
	}
	if err := k.walker.Answer(a, body, k); err != nil {
		return k.ended(err)
	}
	k.decide()
	return k.verdict
}
