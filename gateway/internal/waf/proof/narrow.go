package proof

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

// A request that is not clean need not be shown to every rule. The engine does
// the same without those whose first link no value of the request meets, because
// in the engine such a rule leaves no trace: no match, no variable, no capture,
// no score. That must hold whatever the rules that are kept do. So one is left
// out only when its first link looks at the request alone, or at variables that
// no rule with an effect sets. Always kept are rules that set things up, add up,
// choose how the body is read or look at what others left behind, those of other
// phases, and those that a skip counts.

// narrowing is which rules may be left out.
type narrowing struct {
	// off is why all rules are always asked; empty when some may be left out.
	off string
	// sites are the rules with an id, in the order of their ids.
	sites []site
	// asked is how many are always asked.
	asked int
}

// site is a rule as the engine knows it.
type site struct {
	id int
	// rule is the compiled one that decides; nil for one that never matters, and
	// one that is always asked.
	rule   *rule
	always bool
}

// Span is all rules whose ids are between two, both included.
type Span struct{ From, To int }

// Spared appends the rules that the engine need not be asked about, when the
// verdict was narrow. No id of a rule that has to be asked is in a span.
func (k *Check) Spared(to []Span) []Span {
	open := false
	for i := range k.program.narrowing.sites {
		s := &k.program.narrowing.sites[i]
		if s.always || s.rule != nil && k.keeps(s.rule) {
			open = false
			continue
		}
		if !open {
			open = true
			to = append(to, Span{s.id, s.id})
		}
		to[len(to)-1].To = s.id
	}
	return to
}

func (k *Check) keeps(r *rule) bool { return k.kept[r.number/64]>>(r.number%64)&1 == 1 }

// keep notes that the engine has to be asked about a rule. It returns false, to
// end a walk, when nothing more can be found out by it.
func (k *Check) keep(r *rule) bool {
	k.kept[r.number/64] |= 1 << (r.number % 64)
	if k.verdict.Clean {
		return true
	}
	if !r.upsets {
		k.enough(r)
	}
	return !k.upset
}

// finds notes that a rule may have an effect.
func (k *Check) finds(r *rule, why string) bool {
	if k.verdict.Clean {
		k.verdict = Verdict{Rule: r.id, Why: why}
	}
	k.upset = k.upset || r.upsets
	k.enough(r)
	return k.keep(r)
}

// enough says that no value needs to be compared with a rule any more.
func (k *Check) enough(r *rule) {
	for _, l := range r.links {
		// What quotes cost the engine is counted to the end.
		if l.kind() == looksAtValues && !l.untangles {
			k.done.add(l.bit)
		}
	}
}

// fate is what constants have decided of a rule.
type fate struct {
	kind fateKind
	by   *seclang.Rule // whose skip has passed it over
}

type fateKind int

const (
	unmet   fateKind = iota + 1 // its first link never is met
	certain                     // it matches every request
	passed                      // it is skipped
	chooses                     // it decides how the body is read, and that is decided exactly
)

// narrow finds out which rules may be left out.
func (c *compiler) narrow() {
	n := &c.program.narrowing
	tainted := c.taint()
	counted := map[*seclang.Rule]bool{}
	for _, r := range c.policy.Rules {
		for _, a := range r.Actions {
			if a.Name == "skip" {
				for _, other := range c.skipped(r, a) {
					counted[other] = true
				}
			}
		}
	}
	for _, r := range c.policy.Rules {
		if r.Marker != "" {
			continue
		}
		if n.off == "" && looksAtRule(r) {
			n.off = "a rule looks at what the engine notes of the one before"
		}
		f, compiled := c.fates[r], c.compiled[r]
		if compiled != nil {
			compiled.asked = compiled.head == nil
		}
		free := r.ID > 0 && (r.Phase == 1 || r.Phase == 2) && !counted[r]
		switch {
		case compiled != nil && compiled.head != nil:
			compiled.upsets = c.upsets(r)
			s := site{id: r.ID, rule: compiled}
			if s.always = !free || !c.aside(r, tainted); s.always {
				s.rule, compiled.asked = nil, true
			}
			n.sites = append(n.sites, s)
			continue
		case f.kind == unmet && c.stableLink(r, tainted), f.kind == passed && c.stable(f.by, tainted):
			n.sites = append(n.sites, site{id: r.ID, always: !free})
			continue
		case f.kind == chooses, f.kind == certain && c.stable(r, tainted):
		case n.off == "" && r.Phase <= 2 && c.upsets(r):
			n.off = fmt.Sprintf("rule %d may change what others do, in a way that is not understood", r.ID)
		}
		n.sites = append(n.sites, site{id: r.ID, always: true})
	}
	for _, s := range n.sites {
		if s.always {
			n.asked++
		}
	}
	slices.SortStableFunc(n.sites, func(a, b site) int { return a.id - b.id })
}

// aside tells whether what the first link of a rule comes to depends on nothing
// that other rules do.
func (c *compiler) aside(r *seclang.Rule, tainted func(selection) bool) bool {
	if r.Operator == nil || r.Operator.Negated && r.Has("capture") {
		return false // the engine captures what matches, though the rule does not
	}
	for _, p := range parseTemplate(r.Operator.Argument) {
		switch p.variable {
		case "", "REQUEST_HEADERS":
		case "TX":
			if isCapture(p.key) || tainted(selection{name: "TX", key: p.key}) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// stable tells whether a rule that only looks at variables of the transaction
// finds in them what is known of them.
func (c *compiler) stable(r *seclang.Rule, tainted func(selection) bool) bool {
	return !slices.ContainsFunc(r.Links(), func(link *seclang.Rule) bool { return !c.stableLink(link, tainted) })
}

func (c *compiler) stableLink(link *seclang.Rule, tainted func(selection) bool) bool {
	if link.Operator == nil {
		return true
	}
	all, err := selections(link.Targets)
	return err == nil && c.aside(link, tainted) && !slices.ContainsFunc(all, func(s selection) bool {
		return s.name != "TX" || isCapture(s.key) || tainted(s)
	})
}

// taint finds the variables of the transaction that may not be what they are
// taken for, once some rule has had an effect.
func (c *compiler) taint() (tainted func(selection) bool) {
	var sets []assignment
	tainted = func(s selection) bool {
		return slices.ContainsFunc(sets, func(a assignment) bool {
			key, plain := a.key.plain()
			switch {
			case s.expression == nil && s.key == "":
				return true
			case s.expression != nil:
				return !plain || s.expression.MatchString(key)
			}
			return plain && key == s.key || !plain && strings.HasPrefix(s.key, a.key.prefix())
		})
	}
	done := map[*seclang.Rule]bool{}
	for again := true; again; {
		again = false
		for _, r := range c.policy.Rules {
			if r.Marker != "" || done[r] || r.Phase > 2 {
				continue
			}
			switch f := c.fates[r]; {
			case f.kind == unmet && c.stableLink(r, tainted):
				continue
			case f.kind == passed && c.stable(f.by, tainted):
				continue
			case f.kind == certain && c.stable(r, tainted) && !c.copies(r, tainted):
				continue
			}
			done[r], again = true, true
			for _, link := range r.Links() {
				sets = append(sets, assignments(link)...)
			}
		}
	}
	return tainted
}

// copies tells whether a rule sets a variable to what is not known.
func (c *compiler) copies(r *seclang.Rule, tainted func(selection) bool) bool {
	for _, link := range r.Links() {
		for _, a := range assignments(link) {
			for _, p := range append(slices.Clone(a.key), a.value...) {
				if p.variable != "" && (p.variable != "TX" || isCapture(p.key) || tainted(selection{name: "TX", key: p.key})) {
					return true
				}
			}
		}
	}
	return false
}

// upsets tells whether a rule may, when it has an effect, take away what others
// are taken for: rules that set things up, or how the body is read.
func (c *compiler) upsets(r *seclang.Rule) bool {
	for _, link := range r.Links() {
		for _, a := range link.Actions {
			switch {
			case a.Name == "skip" || a.Name == "skipafter":
				if c.skipsAssignments(r, a) {
					return true
				}
			case a.Name == "ctl":
				if e := (effect{}); !c.control(&e, a, true) || e.processor != "" || e.force {
					return true
				}
			case a.Name == "allow", !harmless[a.Name] && a.Name != "setvar" && a.Name != "block" && !disruptive(a.Name):
				return true
			}
		}
	}
	return false
}

// looksAtRule tells whether a rule looks at the engine's notes of the rule that
// was evaluated last.
func looksAtRule(r *seclang.Rule) bool {
	for _, link := range r.Links() {
		if slices.ContainsFunc(link.Targets, func(t seclang.Target) bool { return t.Variable == "RULE" }) {
			return true
		}
		texts := []string{}
		if link.Operator != nil {
			texts = append(texts, link.Operator.Argument)
		}
		for _, a := range link.Actions {
			texts = append(texts, a.Value)
		}
		if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), "%{rule.") }) {
			return true
		}
	}
	return false
}
