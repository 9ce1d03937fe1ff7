package diff

import (
	"slices"

	"portcullis/policies/policy"
)

// access compares whom two routes let in, for the methods that their rules are
// asked about: those whom an allow rule matches and no deny rule does; see
// asker.rules for errors.
//
// Whose tokens are accepted at all is compared apart (see issuers): where those
// do not widen and the rules do not, access does not.
type access struct {
	*variables
	old, now               *served
	oldAllow, nowAllow     []rule
	oldDeny, nowDeny       []rule
	oldAllows, nowAllows   expr
	oldRefuses, nowRefuses expr
}

func newAccess(old, now *served, methods [2]string) *access {
	a := &access{variables: &variables{}, old: old, now: now}
	before := asker{a.variables, 0, old, methods[0]}
	after := asker{a.variables, 1, now, methods[1]}
	a.oldAllow, a.oldDeny = before.rules(old.Allow, isFalse), before.rules(old.Deny, isTrue)
	a.nowAllow, a.nowDeny = after.rules(now.Allow, isFalse), after.rules(now.Deny, isTrue)
	a.oldAllows, a.oldRefuses = oneOfRules(a.oldAllow), oneOfRules(a.oldDeny)
	a.nowAllows, a.nowRefuses = oneOfRules(a.nowAllow), oneOfRules(a.nowDeny)
	a.prune()
	return a
}

func oneOfRules(rules []rule) expr {
	one := make(or, len(rules))
	for i, r := range rules {
		one[i] = r.matches
	}
	return one
}

// find says what a comparison found of one rule.
type find struct {
	kind    Kind
	what    string
	pos     policy.Pos
	removed bool
}

// compare finds where access widens, where nothing shows that it does not, and
// where it narrows.
//
// Whoever is let in now and was not is found: one of the allow rules matches
// them now, and either none did before, or one of the deny rules refused them.
func (a *access) compare() []find {
	var finds []find
	for _, r := range a.nowAllow {
		goal := and{r.matches, not{a.nowRefuses}, not{a.oldAllows}}
		switch a.search(goal) {
		case possible:
			if a.edited(goal) {
				finds = append(finds, find{Unproved, "may now be open to " + a.now.whoever(r.Rule) + " (before: " + a.old.open() + "): which of them lets in more cannot be told from their text", r.Pos, false})
			} else {
				finds = append(finds, find{Widens, "is now open to " + a.now.whoever(r.Rule) + " (before: " + a.old.open() + ")", r.Pos, false})
			}
		case tooMuch:
			if !a.implied(r.matches, a.oldAllow) {
				finds = append(finds, find{Unproved, "may now be open to " + a.now.whoever(r.Rule) + ": there are too many conditions to compare", r.Pos, false})
			}
		}
	}
	for _, r := range a.oldDeny {
		pos, removed, where := a.follow(r.Rule, a.now.Deny)
		goal := and{a.nowAllows, not{a.nowRefuses}, r.matches, a.oldAllows}
		switch a.search(goal) {
		case possible:
			if a.edited(goal) {
				finds = append(finds, find{Unproved, "may no longer refuse " + a.old.whoever(r.Rule) + where + ": which of them refuses more cannot be told from their text", pos, removed})
			} else {
				finds = append(finds, find{Widens, "no longer refuses " + a.old.whoever(r.Rule) + where, pos, removed})
			}
		case tooMuch:
			if !a.implied(r.matches, a.nowDeny) {
				finds = append(finds, find{Unproved, "may no longer refuse " + a.old.whoever(r.Rule) + where + ": there are too many conditions to compare", pos, removed})
			}
		}
	}
	return slices.Concat(finds, a.narrower())
}

// narrower finds who was let in and is not. What only differs in conditions of
// which the text alone is known has been told already.
func (a *access) narrower() []find {
	var finds []find
	for _, r := range a.oldAllow {
		goal := and{r.matches, not{a.oldRefuses}, not{a.nowAllows}}
		if a.search(goal) == possible && !a.edited(goal) {
			pos, removed, where := a.follow(r.Rule, a.now.Allow)
			if now := " (now: " + a.now.open() + ")"; now != where {
				where += now
			}
			finds = append(finds, find{Narrows, "is no longer open to all of " + a.old.whoever(r.Rule) + where, pos, removed})
		}
	}
	for _, r := range a.nowDeny {
		goal := and{a.oldAllows, not{a.oldRefuses}, r.matches, a.nowAllows}
		if a.search(goal) == possible && !a.edited(goal) {
			finds = append(finds, find{Narrows, "now refuses " + a.now.whoever(r.Rule), r.Pos, false})
		}
	}
	return finds
}

// edited reports whether a goal hangs on something that one side alone asks for, on
// both sides: one may well be another spelling of the other.
func (a *access) edited(goal expr) bool {
	var only [2]bool
	goal.visit(func(i int) {
		if v := a.list[i]; v.opaque && v.sides[0] != v.sides[1] {
			only[0], only[1] = only[0] || v.sides[0], only[1] || v.sides[1]
		}
	})
	return only[0] && only[1]
}

// implied reports whether one of the rules matches whenever e holds: less than a
// search over all of them together finds, and at less cost.
func (a *access) implied(e expr, by []rule) bool {
	return slices.ContainsFunc(by, func(r rule) bool { return a.search(and{e, not{r.matches}}) == never })
}

// follow finds what became of a rule: its place now, or its old one.
func (a *access) follow(old *policy.Rule, now []*policy.Rule) (pos policy.Pos, removed bool, where string) {
	same := func(r *policy.Rule) bool { return a.old.whoever(old) == a.now.whoever(r) }
	if i := slices.IndexFunc(now, same); i >= 0 {
		if !enforced(now[i].Mode) {
			where = " (the rule is in shadow)"
		}
		return now[i].Pos, false, where
	}
	if i := slices.IndexFunc(now, func(r *policy.Rule) bool { return old.Name.Set && r.Name.V == old.Name.V }); i >= 0 {
		return now[i].Pos, false, " (now: " + a.now.whoever(now[i]) + ")"
	}
	return old.Pos, true, ""
}
