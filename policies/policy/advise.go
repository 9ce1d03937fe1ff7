package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// exemptionSoon is how long before the day of an exemption its owner is told.
const exemptionSoon = 30 * 24 * time.Hour

// Advise tells what is worth knowing of a document that Validate has passed:
// exemptions and when they end, what routes go without, what only watches, and
// what decides nothing. It finds warnings and notes, no errors, in the order of
// files and lines.
func Advise(doc *Document, now time.Time) Mistakes {
	a := &adviser{doc: doc, now: now}
	a.exemptions()
	a.watched()
	a.unused()
	a.shadowed()
	for _, r := range doc.Routes {
		a.optOuts(r)
		a.rules(r)
	}
	return a.found.tidied()
}

// adviser gathers what is found in one document.
type adviser struct {
	doc   *Document
	now   time.Time
	found Mistakes
}

func (a *adviser) tell(s Severity, at Pos, code, what, why, hint string) {
	m := a.doc.Excerpt(At(at, code, withoutKey(what), hint))
	m.Severity, m.Why = s, why
	a.found = append(a.found, m)
}

func (a *adviser) note(at Pos, code, what, why, hint string) {
	a.tell(Note, at, code, what, why, hint)
}

// exemptions tells of everything that is let through for a while.
func (a *adviser) exemptions() {
	for _, p := range a.doc.WAF {
		a.patches(p)
		for _, e := range p.Exclusions {
			a.exemption(e.Pos, e.Exemption, fmt.Sprintf("WAF profile %q does not look at %s with %s", p.Name.V, e.Target.V, rulesOf(e)))
		}
	}
	if a.doc.Gateway == nil {
		return
	}
	for _, f := range a.doc.Gateway.Floor {
		for _, e := range f.Except {
			a.exemption(e.Pos, e.Exemption, fmt.Sprintf("the floor %s lets route %q go without %s", f.Paths.V, e.Route.V, listed(e.Needs)))
			a.idleException(f, e)
		}
	}
}

func rulesOf(e *Exclusion) string {
	if len(e.Rules) == 1 {
		return fmt.Sprintf("rule %d", e.Rules[0].V)
	}
	return "rules " + listed(e.Rules)
}

// exemption tells of one: a warning once its day is near or past.
func (a *adviser) exemption(at Pos, e Exemption, what string) {
	if e.Expires.Set {
		at = e.Expires.Pos
	}
	what += ": " + e.Reason.V
	last := lastDay(e.Expires.V)
	hint := fmt.Sprintf("ask %s to end it, or to write a later day", e.Owner.V)
	switch left := e.Expires.V.Sub(a.now); {
	case left <= 0:
		a.tell(Warning, at, CodeExpired, what, "its last day was "+last, hint)
	case left <= exemptionSoon:
		a.tell(Warning, at, CodeExpires, what, fmt.Sprintf("its last day is %s, %s from now", last, days(left)), hint)
	default:
		a.note(at, CodeOptOut, what, "until "+last, "")
	}
}

// days counts those that have begun.
func days(left time.Duration) string {
	n := int((left + 24*time.Hour - 1) / (24 * time.Hour))
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// optOuts tells what a route goes without, and why.
func (a *adviser) optOuts(r *Route) {
	for _, o := range a.doc.Effective(r).OptOuts {
		a.note(o.Pos, CodeOptOut, fmt.Sprintf("route %q goes without %s: %s", r.Name.V, o.Stage, o.Reason), "", "")
	}
	for _, rule := range r.Allow {
		if rule.Anyone.V && !rule.watches() {
			a.note(rule.Anyone.Pos, CodeOptOut, fmt.Sprintf("route %q is open to anyone: %s", r.Name.V, rule.Reason.V), "", "")
		}
	}
}

// watched tells of everything in shadow.
func (a *adviser) watched() {
	tell := func(mode Value[string], what, still string) {
		if mode.V == shadow {
			a.note(mode.Pos, CodeShadow, what+" is in shadow: it "+still, "", "")
		}
	}
	for _, l := range a.doc.Limits {
		tell(l.Mode, fmt.Sprintf("limit %q", l.Name.V), "refuses nobody")
	}
	for _, p := range a.doc.WAF {
		tell(p.Mode, fmt.Sprintf("WAF profile %q", p.Name.V), "refuses nobody")
	}
	for _, r := range a.doc.Routes {
		for i, rule := range r.Allow {
			tell(rule.Mode, fmt.Sprintf("rule %s of route %q", rule.Called("allow", i), r.Name.V), "lets nobody in")
		}
		for i, rule := range r.Deny {
			tell(rule.Mode, fmt.Sprintf("rule %s of route %q", rule.Called("deny", i), r.Name.V), "refuses nobody")
		}
		if r.Validate != nil {
			tell(r.Validate.Mode, fmt.Sprintf("the validation of route %q", r.Name.V), "refuses nobody")
		}
	}
}

func (r *Rule) watches() bool { return r.Mode.V == shadow }

// Called is how tests, metrics and explanations call the rule that stands at i
// among a route's rules of a kind: its name, or allow[0].
func (r *Rule) Called(kind string, i int) string {
	return cmp.Or(r.Name.V, fmt.Sprintf("%s[%d]", kind, i))
}

// unused tells of what is defined and named by no route and no default.
func (a *adviser) unused() {
	if len(a.doc.Routes) == 0 {
		return // a folder of the token service: nothing of it is for routes
	}
	named := map[string]bool{}
	name := func(kind string, vs ...Value[string]) {
		for _, v := range vs {
			named[kind+v.V] = true
		}
	}
	if g := a.doc.Gateway; g != nil {
		name("issuer", g.Defaults.Authenticate...)
		name("limit", g.Defaults.Limits...)
		name("WAF profile", g.Defaults.WAF...)
	}
	for _, r := range a.doc.Routes {
		name("issuer", r.Authenticate...)
		name("limit", r.Limits...)
		name("WAF profile", r.WAF...)
		name("upstream", r.Upstream)
	}
	look := func(kind string, v Value[string]) {
		if !named[kind+v.V] {
			a.note(v.Pos, CodeUnused, fmt.Sprintf("no route names the %s %q, and neither do the defaults", kind, v.V), "", "name it where it was meant to be, or leave it out")
		}
	}
	for _, i := range a.doc.Issuers {
		look("issuer", i.Name)
	}
	for _, u := range a.doc.Upstreams {
		look("upstream", u.Name)
	}
	for _, l := range a.doc.Limits {
		look("limit", l.Name)
	}
	for _, p := range a.doc.WAF {
		look("WAF profile", p.Name)
	}
}

// listed is a list for a sentence: a, b and c.
func listed[T any](vs []Value[T]) string {
	text := ""
	for i, v := range vs {
		switch {
		case i == 0:
		case i == len(vs)-1:
			text += " and "
		default:
			text += ", "
		}
		text += fmt.Sprint(v.V)
	}
	return text
}

// holds reports whether a list has a value.
func holds[T comparable](vs []Value[T], v T) bool {
	return slices.ContainsFunc(vs, func(in Value[T]) bool { return in.V == v })
}
