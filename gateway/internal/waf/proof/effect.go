package proof

import (
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

// harmless actions change nothing that another rule, a score or a log sees.
var harmless = map[string]bool{
	"accuracy": true, "auditlog": true, "capture": true, "chain": true, "id": true, "log": true, "logdata": true, "maturity": true, "msg": true,
	"multimatch": true, "noauditlog": true, "nolog": true, "pass": true, "phase": true, "rev": true, "severity": true, "status": true, "t": true,
	"tag": true, "ver": true,
}

// effect says what a rule does besides matching.
type effect struct {
	// at is the number of the first link that has an effect when it is met,
	// whether later ones are or not; -1 when none has.
	at int
	// foreign holds for each link what private found out.
	foreign [][]reader
	// The body is read otherwise, or other rules are kept from something.
	processor string
	force     bool
	exempts   []seclang.Action
}

// effect reads the actions of a rule. links are those that the request decides,
// the first being number first of the rule.
func (c *compiler) effect(r *seclang.Rule, links []*seclang.Rule) effect {
	e := effect{at: -1, foreign: make([][]reader, len(links))}
	last := len(links) - 1
	has := func(n int) {
		if e.at < 0 || n < e.at {
			e.at = n
		}
	}
	if r.Logs() {
		has(last)
	}
	for _, a := range r.Actions {
		switch a.Name {
		case "deny", "drop", "redirect", "allow":
			has(last)
		case "block": // without a default it does nothing
		case "skip", "skipafter":
			if c.skipsAssignments(r, a) || a.Name == "skipafter" && !c.lands(r, a.Value) {
				has(last)
			}
			e.exempts = append(e.exempts, a)
		}
	}
	for n, link := range links {
		for i, a := range assignments(link) {
			if c.flows.has(link, i, a) {
				continue
			}
			private, foreign := c.private(r, a)
			if !private || a.remove || n == last && e.at < 0 {
				has(n)
			}
			e.foreign[n] = append(e.foreign[n], foreign...)
		}
		for _, a := range link.Actions {
			switch {
			case harmless[a.Name], a.Name == "setvar", a.Name == "block", a.Name == "skip", a.Name == "skipafter":
			case a.Name == "ctl":
				if !c.control(&e, a, n == last) {
					has(n)
				}
			case disruptive(a.Name):
				has(last)
			default:
				has(n)
			}
		}
	}
	return e
}

func disruptive(action string) bool {
	return action == "deny" || action == "drop" || action == "redirect" || action == "allow"
}

// control reads a ctl; false when it is one whose effect is not understood.
func (c *compiler) control(e *effect, a seclang.Action, last bool) bool {
	name, value, _ := strings.Cut(a.Value, "=")
	switch strings.ToLower(name) {
	case "auditengine", "auditlogparts":
		return true
	case "requestbodyprocessor":
		e.processor = strings.ToUpper(value)
		return last
	case "forcerequestbodyvariable":
		e.force = strings.EqualFold(value, "on")
		return last && e.force
	case "ruleremovetargetbyid", "ruleremovetargetbytag", "ruleremovetargetbymsg":
		// A rule that looks at less matches less, but for those that set things
		// up, which look at variables of the transaction.
		which, target, _ := strings.Cut(value, ";")
		if strings.HasPrefix(strings.ToUpper(target), "TX") || c.counted(strings.Replace(strings.ToLower(name), "target", "", 1)+"="+which, target) {
			return false
		}
		e.exempts = append(e.exempts, a)
		return true
	case "ruleremovebyid", "ruleremovebytag", "ruleremovebymsg":
		return !c.removesAssignments(strings.ToLower(name), value) && !c.removesSkips(a)
	}
	return false
}
