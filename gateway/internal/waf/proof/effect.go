package proof

import (
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/collect"
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

// counted tells whether a rule that ctl would take away counts the members of a
// variable: with one less, it may match.
func (c *compiler) counted(ctl, target string) bool {
	variable, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(target)), ":")
	takes := c.takes(nil, seclang.Action{Name: "ctl", Value: ctl})
	return slices.ContainsFunc(c.policy.Rules, func(r *seclang.Rule) bool {
		return takes(r) && slices.ContainsFunc(r.Links(), func(link *seclang.Rule) bool {
			return slices.ContainsFunc(link.Targets, func(t seclang.Target) bool { return t.Count && t.Variable == variable })
		})
	})
}

// removesSkips tells whether a ctl takes away a rule that skips others, as those
// of the paranoia levels do, and leaves one that would be skipped.
func (c *compiler) removesSkips(ctl seclang.Action) bool {
	takes := c.takes(nil, ctl)
	return slices.ContainsFunc(c.policy.Rules, func(r *seclang.Rule) bool {
		if r.Marker != "" || r.Phase > 2 || !takes(r) {
			return false
		}
		return slices.ContainsFunc(r.Actions, func(a seclang.Action) bool {
			return (a.Name == "skip" || a.Name == "skipafter") &&
				slices.ContainsFunc(c.skipped(r, a), func(over *seclang.Rule) bool { return over.Marker == "" && !takes(over) })
		})
	})
}

// removesAssignments tells whether a ctl takes away a rule that sets things up:
// then constants would not be what they are taken for.
func (c *compiler) removesAssignments(name, value string) bool {
	return slices.ContainsFunc(c.policy.Rules, func(r *seclang.Rule) bool {
		if r.Marker != "" || r.Phase > c.last || !setsUp(r) {
			return false
		}
		switch name {
		case "ruleremovebyid":
			from, to, isRange := strings.Cut(value, "-")
			if !isRange {
				to = from
			}
			least, err1 := strconv.Atoi(from)
			most, err2 := strconv.Atoi(to)
			return err1 != nil || err2 != nil || r.ID >= least && r.ID <= most
		case "ruleremovebytag":
			return slices.ContainsFunc(r.Actions, func(a seclang.Action) bool { return a.Name == "tag" && a.Value == value })
		}
		return true
	})
}

// skipsAssignments tells the same of the rules that a skip passes over.
func (c *compiler) skipsAssignments(r *seclang.Rule, a seclang.Action) bool {
	for _, other := range c.skipped(r, a) {
		if setsUp(other) && !c.depends(other) {
			return true
		}
	}
	return false
}

// lands tells whether a marker comes after a rule. The engine would go on
// skipping in the next phase.
func (c *compiler) lands(r *seclang.Rule, marker string) bool {
	at := slices.Index(c.policy.Rules, r)
	return slices.ContainsFunc(c.policy.Rules[at+1:], func(other *seclang.Rule) bool { return other.Marker == marker })
}

// skipped are the rules that a skip or a skipAfter passes over, in the order in
// which the engine counts.
func (c *compiler) skipped(r *seclang.Rule, a seclang.Action) (over []*seclang.Rule) {
	left := len(c.policy.Rules)
	if a.Name == "skip" {
		left, _ = strconv.Atoi(a.Value)
	}
	at := slices.Index(c.policy.Rules, r)
	for _, other := range c.policy.Rules[at+1:] {
		if other.Marker == "" && other.Phase != r.Phase {
			continue
		}
		if left == 0 || a.Name == "skipafter" && other.Marker == a.Value {
			break
		}
		left--
		over = append(over, other)
	}
	return over
}

// setsUp tells whether a rule may be one that matches every request and sets
// variables, or one that chooses how bodies are read. Those of a rule with an
// effect do not matter.
func setsUp(r *seclang.Rule) bool {
	if r.Logs() {
		return false
	}
	for _, link := range r.Links() {
		if link.Has("setvar") {
			return true
		}
		for _, a := range link.Actions {
			if name, _, _ := strings.Cut(a.Value, "="); a.Name == "ctl" &&
				(strings.EqualFold(name, "requestBodyProcessor") || strings.EqualFold(name, "forceRequestBodyVariable")) {
				return true
			}
		}
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

// takes tells which rules an action takes away; nil when it takes none.
func (c *compiler) takes(r *seclang.Rule, a seclang.Action) func(*seclang.Rule) bool {
	if a.Name == "skip" || a.Name == "skipafter" {
		over := c.skipped(r, a)
		return func(other *seclang.Rule) bool { return slices.Contains(over, other) }
	}
	name, value, _ := strings.Cut(a.Value, "=")
	if a.Name != "ctl" {
		return nil
	}
	switch strings.ToLower(name) {
	case "ruleremovebyid":
		from, to, isRange := strings.Cut(value, "-")
		if !isRange {
			to = from
		}
		least, most := number(from), number(to)
		return func(other *seclang.Rule) bool { return other.ID >= least && other.ID <= most }
	case "ruleremovebytag":
		return func(other *seclang.Rule) bool {
			return slices.Contains(other.Actions, seclang.Action{Name: "tag", Value: value})
		}
	case "ruleremovebymsg":
		return func(other *seclang.Rule) bool {
			return slices.Contains(other.Actions, seclang.Action{Name: "msg", Value: value})
		}
	}
	return nil
}

// follows tells whether b is evaluated after a.
func (c *compiler) follows(a, b *seclang.Rule) bool {
	return b.Phase > a.Phase || b.Phase == a.Phase && slices.Index(c.policy.Rules, b) > slices.Index(c.policy.Rules, a)
}
