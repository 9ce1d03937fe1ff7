package waf

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/corazawaf/coraza/v3/types"

	"portcullis/services/problem"
)

// leaving is what a transaction of the engine can do besides its interface.
type leaving interface {
	// RemoveRuleByIDRange leaves rules out, for this transaction only, as
	// ctl:ruleRemoveById does. It has to be said before the first phase.
	RemoveRuleByIDRange(from, to int)
}

// narrowing has the engine leave out the rules that cannot match. One that
// cannot leave any out is asked about all.
func (s *subject) narrowing(engine types.Transaction) {
	if !s.narrow {
		return
	}
	if some, ok := engine.(leaving); ok {
		for _, span := range s.spared {
			some.RemoveRuleByIDRange(span.From, span.To)
		}
	}
}

// whole is the same request to be shown to all rules.
func (s *subject) whole() *subject {
	w := *s
	w.narrow, w.spared, w.check = false, nil, nil
	return &w
}

// judgement is what some rules came to.
type judgement struct {
	found finding
	err   error
}

// doubtNarrowed takes note of some requests that not all rules were asked about.
func (g *Gate) doubtNarrowed(i *Inspector, s *subject, found finding, err error) {
	if s.narrow {
		g.question(i, s, &judgement{found, err}, nil)
	}
}

// narrowedAgain holds what some rules came to against what all do.
func (r recheck) narrowedAgain(ctx context.Context) {
	difference, found := r.missing(ctx, r.subject, *r.was, maxRules)
	r.proving.meter.rechecked()
	if difference != "" {
		r.misjudged(ctx, r.subject, found, "some rules of the WAF came to another verdict on a request than all", difference)
	}
}

// missingTries is how often both sides are asked before they are said to differ.
const missingTries = 8

// missing says how all rules judge a request otherwise than some did; empty for
// nothing. The engine keeps values in maps, so that a rule that looks at the last
// of several matches may match or not: what it says once in several times is no
// difference, or whoever knows such a request could switch the proof off.
func (i *Inspector) missing(ctx context.Context, s *subject, was judgement, most int) (difference string, found finding) {
	seen := []judgement{was}
	var whole []judgement
	for range missingTries {
		var now judgement
		now.found, now.err = i.inspect(ctx, s.whole(), most)
		if failed(now.err) || failed(seen[len(seen)-1].err) {
			return "", now.found // a fault of the engine shows nothing
		}
		whole = append(whole, now)
		for _, a := range seen {
			for _, b := range whole {
				if a.differs(b) == "" {
					return "", b.found
				}
			}
		}
		var again judgement
		again.found, again.err = i.inspect(ctx, s, most)
		seen = append(seen, again)
	}
	return was.differs(whole[0]), whole[0].found
}

// failed tells whether an error is no answer to the request.
func failed(err error) bool {
	_, refused := errors.AsType[*problem.Problem](err)
	return err != nil && !refused
}

// differs says how all rules judge a request that some judged like this.
func (j judgement) differs(all judgement) string {
	a, b := j.found.interruption, all.found.interruption
	switch {
	case (j.err == nil) != (all.err == nil):
		return fmt.Sprintf("refuses its body: %t, not %t", all.err != nil, j.err != nil)
	case (a == nil) != (b == nil), a != nil && (a.RuleID != b.RuleID || a.Status != b.Status || a.Action != b.Action):
		return fmt.Sprintf("stops it by %s, not by %s", stopping(b), stopping(a))
	case j.found.Score != all.found.Score:
		return fmt.Sprintf("gives it a score of %d, not %d", all.found.Score, j.found.Score)
	case !slices.Equal(j.found.Rules, all.found.Rules):
		return fmt.Sprintf("has rules %v match, not %v", all.found.Rules, j.found.Rules)
	}
	return ""
}

func stopping(by *types.Interruption) string {
	if by == nil {
		return "no rule"
	}
	return fmt.Sprintf("rule %d with %s and status %d", by.RuleID, by.Action, by.Status)
}

// narrowedShare is of how many requests of the self-test that are not clean one
// is shown to some rules and to all.
const narrowedShare = 16

// tryNarrowed asks some rules and all about one request of the self-test. The
// error is a difference.
func (i *Inspector) tryNarrowed(ctx context.Context, t trial, s *subject) error {
	var was judgement
	if was.found, was.err = i.inspect(ctx, s, math.MaxInt32); failed(was.err) {
		return fmt.Errorf("asking some rules of the WAF profile %q: %w", i.profile.Name, was.err)
	}
	difference, found := i.missing(ctx, s, was, math.MaxInt32)
	if difference == "" {
		return nil
	}
	i.proving.off.Store(true)
	return fmt.Errorf("the WAF profile %q asks some of its rules about a request on which the whole engine %s (%s; rules %v): write proof: off for it, and report this",
		i.profile.Name, difference, t.what, found.Rules)
}
