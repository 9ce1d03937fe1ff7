package diff

import (
	"fmt"
	"slices"
	"time"

	"portcullis/policies/policy"
)

// counts keeps, for each old limit, the new ones that are as strict on every
// route seen so far. Where none is left, what one limit counted together is
// counted apart now, and more is let through.
type counts map[counted]map[counted]bool

// counted is whose requests are counted together: a limit, for limits by route
// of that route.
type counted struct {
	*policy.Limit
	route *policy.Route
}

func countedOn(l *policy.Limit, r *served) counted {
	if l.By.V == "route" && r != nil {
		return counted{l, r.Route}
	}
	return counted{l, nil}
}

// limits compares how often a route may be asked.
func (c *comparison) limits(old, now *served) {
	before, after := old.side.limitsOf(old.Effective.Limits), now.side.limitsOf(now.Effective.Limits)
	if len(before) > 0 && now.NoLimits.Set {
		c.say(Widens, now.NoLimits.Pos, "no limit counts it any more")
		return
	}
	c.limited(before, after, old, now)
}

func (s *side) limitsOf(names []policy.Value[string]) []*policy.Limit {
	var list []*policy.Limit
	for _, n := range names {
		if l := s.limits[n.V]; l != nil {
			list = append(list, l)
		}
	}
	return list
}

func (c *comparison) limited(before, after []*policy.Limit, old, now *served) {
	for _, was := range before {
		if !enforced(was.Mode) {
			continue
		}
		strict := map[counted]bool{}
		for _, l := range after {
			if looser(was, l) == "" {
				strict[countedOn(l, now)] = true
			}
		}
		if len(strict) == 0 {
			c.loosened(was, before, after)
			continue
		}
		c.counts.together(countedOn(was, old), strict)
	}
	for _, l := range after {
		stricter := enforced(l.Mode) && !slices.ContainsFunc(before, func(was *policy.Limit) bool { return enforced(was.Mode) && looser(l, was) == "" })
		switch {
		case stricter:
			c.say(Narrows, l.Pos, fmt.Sprintf("limit %s admits %s by %s%s", l.Name.V, rate(l), l.By.V, clientsOf(l)))
		case !enforced(l.Mode) && !slices.ContainsFunc(before, func(was *policy.Limit) bool { return looser(was, enforcing(l)) == "" }):
			c.say(Changes, l.Pos, fmt.Sprintf("limit %s in shadow: %s by %s%s", l.Name.V, rate(l), l.By.V, clientsOf(l)))
		}
	}
}

func (k counts) together(was counted, strict map[counted]bool) {
	left, known := k[was]
	if !known {
		k[was] = strict
		return
	}
	for l := range left {
		if !strict[l] {
			delete(left, l)
		}
	}
}

// apart reports limits whose requests are no longer counted together.
func (c *comparison) apart() {
	for _, was := range c.old.doc.Limits {
		for k, left := range c.counts {
			if k.Limit == was && len(left) == 0 {
				c.gone(Widens, was.Pos, fmt.Sprintf("what limit %s counted together is counted apart: each part may use all of it", was.Name.V))
			}
		}
	}
}

// loosened says what became of a limit that no new one stands for.
func (c *comparison) loosened(was *policy.Limit, before, after []*policy.Limit) {
	like := slices.IndexFunc(after, func(l *policy.Limit) bool { return l.Name.V == was.Name.V })
	if like < 0 {
		like = slices.IndexFunc(after, func(l *policy.Limit) bool {
			return l.By.V == was.By.V && !slices.ContainsFunc(before, func(b *policy.Limit) bool { return b != was && b.By.V == l.By.V && looser(b, l) == "" })
		})
	}
	if like < 0 {
		c.gone(Widens, was.Pos, fmt.Sprintf("limit %s no longer counts it (before: %s by %s%s)", was.Name.V, rate(was), was.By.V, clientsOf(was)))
		return
	}
	l := after[like]
	if l.By.V != was.By.V {
		c.say(Unproved, l.Pos, fmt.Sprintf("limit %s counts by %s (before: by %s)", l.Name.V, l.By.V, was.By.V))
		return
	}
	c.say(Widens, l.Pos, fmt.Sprintf("limit %s %s", l.Name.V, looser(was, l)))
}

// looser says how l lets through what was would not, or nothing.
func looser(was, l *policy.Limit) string {
	switch {
	case l.By.V != was.By.V:
		return "counts by " + l.By.V
	case !enforced(l.Mode):
		return "is in shadow"
	case len(l.Clients) > 0 && len(was.Clients) == 0:
		return "counts" + clientsOf(l) + " alone (before: everyone)"
	case len(l.Clients) > 0 && len(without(was.Clients, l.Clients)) > 0:
		return "counts" + clientsOf(l) + " alone (before:" + clientsOf(was) + ")"
	case burst(l) > burst(was) || interval(l) < interval(was):
		return "admits " + rate(l) + " (before: " + rate(was) + ")"
	}
	return ""
}

func enforcing(l *policy.Limit) *policy.Limit {
	e := *l
	e.Mode = policy.Value[string]{}
	return &e
}

func burst(l *policy.Limit) int {
	if l.Burst.V > 0 {
		return l.Burst.V
	}
	return l.Rate.V.Count
}

// interval is the time one request stands for, rounded as the limiter rounds.
func interval(l *policy.Limit) time.Duration {
	if l.Rate.V.Count <= 0 || l.Rate.V.Per <= 0 {
		return time.Hour
	}
	return (l.Rate.V.Per-1)/time.Duration(l.Rate.V.Count) + 1
}

func rate(l *policy.Limit) string {
	return fmt.Sprintf("%d in %s, %d at once", l.Rate.V.Count, policy.FormatDuration(l.Rate.V.Per), burst(l))
}

func clientsOf(l *policy.Limit) string {
	if len(l.Clients) == 0 {
		return ""
	}
	return " for client " + oneOf(policy.Values(l.Clients))
}

// unrouted compares the limits on requests that no route matches: those by
// source of the defaults.
func (c *comparison) unrouted() {
	of := func(s *side) []*policy.Limit {
		return slices.DeleteFunc(s.limitsOf(s.gateway.Defaults.Limits), func(l *policy.Limit) bool { return l.By.V != "source" || len(l.Clients) > 0 })
	}
	c.on = []string{"requests without a route"}
	c.limited(of(c.old), of(c.now), nil, nil)
	c.on = nil
}
