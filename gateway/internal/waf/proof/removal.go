package proof

import (
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

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

// lands tells whether a marker comes after a rule. The engine would go on
// skipping in the next phase.
func (c *compiler) lands(r *seclang.Rule, marker string) bool {
	at := slices.Index(c.policy.Rules, r)
	return slices.ContainsFunc(c.policy.Rules[at+1:], func(other *seclang.Rule) bool { return other.Marker == marker })
}

// follows tells whether b is evaluated after a.
func (c *compiler) follows(a, b *seclang.Rule) bool {
	return b.Phase > a.Phase || b.Phase == a.Phase && slices.Index(c.policy.Rules, b) > slices.Index(c.policy.Rules, a)
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
		if r.Marker != "" || r.Phase > lastOfRequest || !takes(r) {
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
