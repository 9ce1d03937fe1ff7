package tune

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/gateway/internal/waf"
)

// attacked tries attacks with the exclusion: at its target, where the rules that
// are left must go on, and at others, where nothing may change. From them come
// the requests of must_block. It says why the exclusion is no good.
func (c *candidate) attacked() (why string) {
	target := c.cluster.target
	var blocked []blocking
	c.p.Same, blocked = c.try(target, sample(c.attacks, c.tried))
	e := &c.p.Exclusion
	if len(blocked) > 0 {
		// Best an attack of the kind that the excluded rules look for.
		i := slices.IndexFunc(blocked, func(b blocking) bool {
			return slices.ContainsFunc(e.Rules, func(rule int) bool { return strings.HasPrefix(b.Test, fmt.Sprint(rule/1000)) })
		})
		e.MustBlock = append(e.MustBlock, blocked[max(i, 0)].text)
	}
	fewer := sample(c.attacks, max(1, c.tried/3))
	if c.tried < 0 {
		fewer = c.attacks
	}
	for _, other := range c.others() {
		tried, blocked := c.try(other, fewer)
		if len(tried.Opened) > 0 {
			return fmt.Sprintf("the exclusion would let attacks pass at %s too: %s", other, tried.Opened[0].Test)
		}
		c.p.Others = append(c.p.Others, tried)
		if len(e.MustBlock) < 2 {
			// The rule itself goes on elsewhere: best seen by one of its own tests.
			i := slices.IndexFunc(blocked, func(b blocking) bool { return slices.ContainsFunc(e.Rules, b.isTestOf) })
			if i >= 0 || len(blocked) > 0 {
				e.MustBlock = append(e.MustBlock, blocked[max(i, 0)].text)
			}
		}
	}
	// What passes here is refused anywhere else.
	for _, arg := range argumentsOf(e.MustPass[0]) {
		text := textFor(elsewhere(target), arg)
		if found, err := c.with.AskText(text); text != "" && err == nil && found.Stopped {
			e.MustBlock = append(e.MustBlock, text)
		}
	}
	if len(e.MustBlock) == 0 {
		return "no attack was found that the profile would still refuse"
	}
	return ""
}

func argumentsOf(text string) (values []string) {
	args, _ := waf.ArgumentsOf(text) // it was asked about before
	for _, a := range args {
		values = append(values, a.Value)
	}
	return values
}

// blocking is an attack that is refused with the exclusion, as a text.
type blocking struct {
	Attack
	text string
}

func (b blocking) isTestOf(rule int) bool { return strings.HasPrefix(b.Test, fmt.Sprint(rule, "-")) }

// try puts attacks at a target.
func (c *candidate) try(target string, all []Attack) (t Tried, blocked []blocking) {
	t.Target = target
	if strings.HasPrefix(target, "ARGS_NAMES:") {
		return t, nil // a name has no value to put them in
	}
	for _, a := range all {
		text := textFor(target, a.Value)
		if text == "" {
			continue
		}
		found, err := c.with.AskText(text)
		if err != nil {
			continue // no such request comes as far as the rules
		}
		if found.Stopped {
			t.Tried++
			blocked = append(blocked, blocking{a, text})
			continue
		}
		if was, err := c.before.AskText(text); err == nil && was.Stopped {
			t.Tried++
			t.Opened = append(t.Opened, a)
		}
	}
	return t, blocked
}

// others are targets of the route that the exclusion does not name: those of
// known-good requests and of other clusters, or one that is made up.
func (c *candidate) others() (targets []string) {
	add := func(name string) {
		target := "ARGS:" + name
		if len(targets) < othersMost && !strings.EqualFold(target, c.cluster.target) && (waf.Exclusion{Target: target}).Check() == nil &&
			!slices.ContainsFunc(targets, func(other string) bool { return strings.EqualFold(other, target) }) {
			targets = append(targets, target)
		}
	}
	for i := range c.good {
		if g := &c.good[i]; g.route == c.cluster.route {
			for _, arg := range g.arguments() {
				add(arg.Name)
			}
		}
	}
	for _, other := range c.clusters.sorted() {
		if name, ok := strings.CutPrefix(other.target, "ARGS:"); ok && other.route == c.cluster.route && !strings.HasPrefix(name, "[") {
			add(name)
		}
	}
	if len(targets) == 0 {
		targets = append(targets, elsewhere(c.cluster.target))
	}
	return targets
}
