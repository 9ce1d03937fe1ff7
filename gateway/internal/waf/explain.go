package waf

import (
	"fmt"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Explain tells of each profile what it found, and what would have let the
// request pass.
func (s *stage) Explain(tx *pipeline.Transaction, d pipeline.Decision) []pipeline.Reason {
	var reasons []pipeline.Reason
	if s.enforced != nil {
		state := pipeline.Holds
		if d.Stage == Stage {
			state = stateOf(d.Kind)
		}
		reasons = append(reasons, s.enforced.explain(tx.WAF, state, d.Problem))
	}
	for i := range s.shadows {
		reasons = append(reasons, s.shadows[i].explainShadow(tx))
	}
	return reasons
}

func stateOf(k pipeline.Kind) pipeline.State {
	switch k {
	case pipeline.Allow:
		return pipeline.Holds
	case pipeline.Deny:
		return pipeline.Fails
	default:
		return pipeline.Broken
	}
}

// explainShadow tells the same of a profile that decided nothing.
func (u *Use) explainShadow(tx *pipeline.Transaction) pipeline.Reason {
	var found pipeline.Inspection
	for _, i := range tx.ShadowWAF {
		if i.Profile == u.profile.Name {
			found = i
		}
	}
	state := pipeline.Unasked
	if found.Ran {
		state = pipeline.Holds
	}
	for _, shadow := range tx.Shadows {
		if profile, _, _ := strings.Cut(shadow.Rule, ":"); shadow.Stage == Stage && profile == u.profile.Name {
			state = stateOf(shadow.Would)
		}
	}
	r := u.explain(found, state, nil)
	r.Shadow = true
	return r
}

// explain tells what the profile found. refused is what the caller was told, nil
// for a profile in shadow.
func (u *Use) explain(found pipeline.Inspection, state pipeline.State, refused *problem.Problem) pipeline.Reason {
	p := &u.profile
	r := pipeline.Reason{
		Text: fmt.Sprintf("profile %s, threshold %d (paranoia %d, reporting up to %d)",
			p.Name, p.Inbound, p.BlockingParanoia, p.DetectionParanoia),
		State: state, Place: u.Place,
	}
	switch {
	case found.Ran:
		r.Value = fmt.Sprintf("score %d", found.Score)
	case state == pipeline.Fails && refused != nil && refused.Detail != "":
		r.Value = "refused before any rule was asked: " + refused.Detail
	case state == pipeline.Fails:
		r.Value = "refused by a bound of the profile, before any rule was asked"
	case state == pipeline.Holds && found.Profile != "":
		r.Value = "not inspected: it would cost more than inspect.cost allows, and inspect.over lets it pass"
	case state == pipeline.Broken:
		r.Value = "not inspected: too many requests are, or the engine failed"
	}
	for _, m := range found.Matches {
		found := hit(m, state == pipeline.Fails)
		if patch, ok := u.patchRules[m.Rule]; ok {
			found.Place = patch.Place.String()
		}
		r.Under = append(r.Under, found)
	}
	for _, n := range found.Excluded {
		e := pipeline.Reason{Text: fmt.Sprintf("%s is kept from rules %s", u.exclusions[n].Target, ids(u.exclusions[n].Rules))}
		if n < len(u.Exclusions) {
			e.Place = u.Exclusions[n]
		}
		r.Under = append(r.Under, e)
	}
	if found.Proof.Asked {
		r.Under = append(r.Under, proofReason(found.Proof))
	}
	if found.Answer.Ran {
		r.Under = append(r.Under, u.answerReason(found.Answer))
	}
	return r
}

// proofReason tells what the proof said. It decides nothing that the rules
// would decide otherwise.
func proofReason(p pipeline.Proof) pipeline.Reason {
	switch {
	case p.Clean:
		return pipeline.Reason{Text: "proved clean"}
	case p.Rule != 0:
		return pipeline.Reason{Text: fmt.Sprintf("the proof is unsure: rule %d, %s", p.Rule, p.Why)}
	}
	return pipeline.Reason{Text: "the proof is unsure: " + p.Why}
}

// hit tells of one rule at one place. One that is only reported would need no
// exclusion.
func hit(m pipeline.Match, denied bool) pipeline.Reason {
	r := pipeline.Reason{Text: fmt.Sprintf("rule %d: %s", m.Rule, m.Message), Value: m.Target}
	switch {
	case !m.Denies:
		r.Text += " (reported only)"
	case denied:
		r.State = pipeline.Fails
		if excludable(m) {
			r.Mend = fmt.Sprintf("an exclusion of rule %d for %s", m.Rule, m.Target)
		}
	}
	return r
}

// excludable reports whether an exclusion could keep the rule from where it
// matched.
func excludable(m pipeline.Match) bool {
	return Exclusion{Rules: []int{m.Rule}, Target: m.Target}.Check() == nil
}

// ids is a list of rule ids in words.
func ids(rules []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(rules), " ", ", "), "[]")
}
