package proof

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

// flows are rules of two that hand values from one to the other: one notes each
// value that it matches under a name of its own, counted up,
//
//	SecRule MULTIPART_PART_HEADERS "@rx ^content-type:(.*)$" "setvar:'tx.types_%{tx.n}=%{tx.1}',setvar:tx.n=+1"
//	SecRule TX:/types_*/ "!@rx ..." "..."
//
// and the other looks at all of them. Whatever the count, it looks at no other
// values than those noted. So both are proved as a chain, of which the second
// link looks at what the first has noted, and the rule that notes has no effect
// of its own.
type flows struct {
	// noted are the assignments of which the chains take care, by their rule and
	// number.
	noted map[notedBy]bool
	// counters are the variables that only make up names.
	counters map[string]bool
	chains   []*seclang.Rule
}

type notedBy struct {
	rule   *seclang.Rule
	number int
}

// has tells whether an assignment needs no further thought.
func (f *flows) has(r *seclang.Rule, n int, a assignment) bool {
	if f.noted[notedBy{r, n}] {
		return true
	}
	key, plain := a.key.plain()
	return plain && !a.remove && f.counters[key]
}

// chained tells whether a rule is one of the chains, whose own assignments nobody
// else reads.
func (f *flows) chained(r *seclang.Rule) bool { return slices.Contains(f.chains, r) }

// findFlows looks for them. It goes before all that asks who reads a variable.
func (c *compiler) findFlows() {
	c.flows = flows{noted: map[notedBy]bool{}, counters: map[string]bool{}}
	var names []reader // macros in the names that are noted under
	for _, r := range c.policy.Rules {
		if r.Marker != "" || r.Phase > lastOfRequest || !notes(r) {
			continue
		}
		for n, a := range assignments(r) {
			to := c.lookers(r, a)
			if to == nil {
				continue
			}
			c.flows.noted[notedBy{r, n}] = true
			for _, of := range to {
				c.flows.chains = append(c.flows.chains, chainOf(r, a, of))
			}
			for _, p := range a.key {
				if p.variable == "TX" {
					names = append(names, reader{r, selection{name: "TX", key: p.key}})
				}
			}
		}
	}
	// A variable that is read for such names only decides nothing.
	for _, n := range names {
		at := slices.IndexFunc(c.readers, func(other reader) bool { return other.rule == n.rule && other.key == n.key && other.expression == nil })
		if at >= 0 {
			c.readers = slices.Delete(c.readers, at, at+1)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(c.readers, func(other reader) bool { return other.reads(n.key) }) {
			c.flows.counters[n.key] = true
		}
	}
}

// reads tells whether a reader may read a variable.
func (r *reader) reads(key string) bool {
	switch {
	case r.expression != nil:
		return r.expression.MatchString(key)
	case r.key == "":
		return true
	}
	return r.key == key
}

// notes tells whether a rule can be the first of a chain: one condition on values
// of the request.
func notes(r *seclang.Rule) bool {
	if r.Operator == nil || r.Chain != nil || r.Logs() || len(r.Targets) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.Targets, func(t seclang.Target) bool { return sources[t.Variable] == nil || t.Count })
}

// lookers are the rules that look at what an assignment notes, when all that may
// look are such rules; else nil.
func (c *compiler) lookers(r *seclang.Rule, a assignment) (all []*seclang.Rule) {
	prefix := a.key.prefix()
	if _, plain := a.key.plain(); plain || a.remove || prefix == "" {
		return nil
	}
	for n := range c.readers {
		other := &c.readers[n]
		switch {
		case c.apart(a.key, other):
		case other.expression == nil && (other.key == "" || strings.HasPrefix(other.key, prefix)):
			return nil
		case other.expression == nil:
		case other.rule.Chain != nil || len(other.rule.Targets) != 1 || other.rule.Targets[0].Count || other.rule.Operator == nil,
			len(parseTemplate(other.rule.Operator.Argument)) > 1, other.rule.Phase < r.Phase, other.rule == r, !other.expression.MatchString(prefix):
			return nil
		default:
			all = append(all, other.rule)
		}
	}
	return all
}

// apart tells whether an expression matches no name that a template makes, its
// beginning followed by numbers: it must match a text that is not in the
// beginning and does not end in a digit.
func (c *compiler) apart(key template, of *reader) bool {
	if of.expression == nil {
		return false
	}
	literal, _ := regexp.MustCompile(strings.TrimPrefix(of.expression.String(), "^")).LiteralPrefix()
	if literal == "" || '0' <= literal[len(literal)-1] && literal[len(literal)-1] <= '9' || strings.Contains(key.prefix(), literal) {
		return false
	}
	for n, p := range key {
		if n > 0 && (p.variable != "TX" || !c.numeric(p.key) || strings.Contains(p.text, literal)) {
			return false
		}
	}
	return true
}

// numeric tells whether rules set a variable to nothing but numbers.
func (c *compiler) numeric(key string) bool {
	for _, r := range c.policy.Rules {
		for _, link := range r.Links() {
			for _, a := range assignments(link) {
				name, plain := a.key.plain()
				if plain && name != key || !plain && !strings.HasPrefix(key, a.key.prefix()) {
					continue
				}
				value, simple := a.value.plain()
				if _, err := strconv.Atoi(value); !plain || !simple || err != nil {
					return false
				}
			}
		}
	}
	return true
}

// chainOf is the chain that stands for two rules.
func chainOf(first *seclang.Rule, a assignment, second *seclang.Rule) *seclang.Rule {
	link, last := *first, *second
	link.Place, link.ID, link.Phase, link.Chain = second.Place, second.ID, second.Phase, &last
	link.Actions = slices.DeleteFunc(slices.Clone(first.Actions), func(action seclang.Action) bool {
		return action.Name != "capture" && action.Name != "multimatch"
	})
	link.Actions = append(link.Actions, seclang.Action{Name: "setvar", Value: "tx." + a.key.prefix() + "=" + a.value.source()})
	if second.Logs() {
		link.Actions = append(link.Actions, seclang.Action{Name: "log"})
	}
	return &link
}
