package waf

import (
	"errors"
	"fmt"
	"slices"
)

// provePatches shows that every patch is needed and does what it is for: each of
// its rules that refuse matches in one of the requests that must be blocked, these
// are refused with the patch and pass without it, and those that must pass do.
func provePatches(with *Inspector) error {
	var wrong []error
	for n, patch := range with.patches {
		without, err := load(with.profile, with.exclusions, slices.Delete(slices.Clone(with.patches), n, n+1), with.log)
		if err != nil {
			return err
		}
		p := patchProof{without: without, with: with, patch: patch, n: n}
		p.run()
		wrong = append(wrong, p.wrong...)
	}
	return errors.Join(wrong...)
}

// patchProof is the proof of one patch.
type patchProof struct {
	without, with *Inspector
	patch         Patch
	n             int
	wrong         []error
}

func (p *patchProof) run() {
	if len(p.patch.MustPass) == 0 || len(p.patch.MustBlock) == 0 {
		p.fail(-1, -1, 0, "a patch needs a request that must pass and one that must be blocked", "add must_pass: and must_block:")
		return
	}
	for i, text := range p.patch.MustPass {
		found, ok := p.ask(p.with, text, i, -1)
		if ok && found.interruption != nil {
			p.fail(i, -1, 0, fmt.Sprintf("this request is refused with the patch, with a score of %d by %s", found.Score, p.by(found)), "make the rules narrower, or take the request out")
		}
	}
	if found, err := p.with.ask(probeRequest("", "", ""), ""); err == nil && p.with.stoppedByPatch(found) && p.with.patchRules[found.interruption.RuleID].File == p.patch.File {
		id := found.interruption.RuleID
		p.fail(-1, -1, p.with.patchRules[id].Line, fmt.Sprintf("rule %d refuses a plain GET /", id), "have it look for what only the attack has")
	}
	needed := map[int]bool{}
	for i, text := range p.patch.MustBlock {
		after, ok := p.ask(p.with, text, -1, i)
		if !ok {
			continue
		}
		before, ok := p.ask(p.without, text, -1, i)
		if !ok {
			continue
		}
		for _, id := range after.Rules {
			needed[id] = true
		}
		switch {
		case after.interruption == nil:
			p.fail(-1, i, 0, fmt.Sprintf("this request passes with the patch, with a score of %d of %d; rules that match: %s", after.Score, p.with.profile.Inbound, orNone(after)), "have a rule of the patch match it and deny it")
		case before.interruption != nil:
			p.fail(-1, i, 0, fmt.Sprintf("this request is refused without the patch too, by %s", p.by(before)), "take it out: it does not show what the patch is for")
		}
	}
	if len(p.wrong) > 0 {
		return
	}
	for id, rule := range p.with.patchRules {
		if rule.File == p.patch.File && rule.denies && !needed[id] {
			p.fail(-1, -1, rule.Line, fmt.Sprintf("rule %d matches in none of the requests that must be blocked", id), "add a request that it refuses, or take it out")
		}
	}
}

// stoppedByPatch tells whether a rule of a patch refused a request.
func (i *Inspector) stoppedByPatch(found finding) bool {
	if found.interruption == nil {
		return false
	}
	_, ours := i.patchRules[found.interruption.RuleID]
	return ours
}

// by tells which rules refused a request.
func (p *patchProof) by(found finding) string {
	if len(found.Matches) == 0 {
		return fmt.Sprintf("rule %d", found.interruption.RuleID)
	}
	return places(found)
}

func (p *patchProof) ask(i *Inspector, text string, mustPass, mustBlock int) (finding, bool) {
	r, body, err := described(text)
	var found finding
	if err == nil {
		found, err = i.ask(r, body)
	}
	if err != nil {
		p.fail(mustPass, mustBlock, 0, fmt.Sprintf("this request cannot be inspected: %v", err), mendText)
	}
	return found, err == nil
}

func (p *patchProof) fail(mustPass, mustBlock, line int, what, mend string) {
	p.wrong = append(p.wrong, &PatchMistake{Patch: p.n, MustPass: mustPass, MustBlock: mustBlock, Line: line, What: what, Mend: mend})
}
