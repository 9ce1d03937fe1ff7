package trial

import (
	"slices"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// Gap is something of the policy that no test has seen work.
type Gap struct {
	// Kind is route, rule, limit, waf, validate, cors or redirect; Name is what
	// the policy calls it, for a rule with its route.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// What no test has made it do: "is never asked", "is never false".
	What string     `json:"what"`
	Pos  policy.Pos `json:"-"`
}

// Coverage is how much of a policy its tests have seen work.
type Coverage struct {
	Covered int `json:"covered"`
	Total   int `json:"total"`
	// Routes and Rules are how many there are.
	Routes int   `json:"routes"`
	Rules  int   `json:"rules"`
	Gaps   []Gap `json:"-"`
}

// Percent is rounded down: 100 means all.
func (c Coverage) Percent() int {
	if c.Total == 0 {
		return 100
	}
	return c.Covered * 100 / c.Total
}

// Reaches reports whether at least percent of everything is covered.
func (c Coverage) Reaches(percent int) bool { return c.Covered*100 >= percent*c.Total }

// point is one thing to be seen.
type point struct{ kind, name, what string }

// What a test can make a thing do.
const (
	whatAsked   = "is never asked"
	whatTrue    = "is never true"
	whatFalse   = "is never false"
	whatUsedUp  = "is never used up"
	whatDenies  = "never refuses anything"
	whatPasses  = "never lets anything pass"
	whatLeads   = "never leads anywhere"
	whatOrigin  = "is never asked by a page of its origins"
	whatForeign = "is never asked by a page of another origin"
)

// coverage counts what tests have seen.
type coverage struct {
	doc    *policy.Document
	order  []point
	places map[point]policy.Pos
	seen   map[point]bool
}

func newCoverage(doc *policy.Document) *coverage {
	c := &coverage{doc: doc, places: map[point]policy.Pos{}, seen: map[point]bool{}}
	for _, r := range doc.Routes {
		c.route(r)
	}
	used := map[string]bool{}
	for _, r := range doc.Routes {
		e := doc.Effective(r)
		for _, name := range append(e.Limits, e.WAF...) {
			used[name.V] = true
		}
	}
	// What no route uses can do nothing that a test could see.
	for _, l := range doc.Limits {
		if used[l.Name.V] {
			c.expect(point{"limit", l.Name.V, whatUsedUp}, l.Pos)
		}
	}
	for _, w := range doc.WAF {
		if used[w.Name.V] {
			c.expect(point{"waf", w.Name.V, whatDenies}, w.Pos)
		}
	}
	return c
}

func (c *coverage) route(r *policy.Route) {
	c.expect(point{"route", r.Name.V, whatAsked}, r.Pos)
	for _, list := range []struct {
		kind  string
		rules []*policy.Rule
	}{{"allow", r.Allow}, {"deny", r.Deny}} {
		for i, rule := range list.rules {
			name := r.Name.V + " " + ruleText(list.kind, i, rule)
			c.expect(point{"rule", name, whatTrue}, rule.Pos)
			if !rule.Anyone.V { // which nothing makes false
				c.expect(point{"rule", name, whatFalse}, rule.Pos)
			}
		}
	}
	if r.Redirect != nil {
		c.expect(point{"redirect", r.Name.V, whatLeads}, r.Redirect.Pos)
	}
	if r.Validate != nil {
		c.expect(point{"validate", r.Name.V, whatDenies}, r.Validate.Pos)
		c.expect(point{"validate", r.Name.V, whatPasses}, r.Validate.Pos)
	}
	if cors := c.doc.Effective(r).CORS; cors != nil && len(cors.Origins) > 0 {
		c.expect(point{"cors", r.Name.V, whatOrigin}, cors.Pos)
		if cors.Origins[0].V != "*" {
			c.expect(point{"cors", r.Name.V, whatForeign}, cors.Pos)
		}
	}
}

// ruleText is how explanations call a rule.
func ruleText(kind string, i int, r *policy.Rule) string {
	if r.Name.Set {
		return kind + " " + r.Name.V
	}
	return r.Called(kind, i)
}

func (c *coverage) expect(p point, at policy.Pos) {
	if _, twice := c.places[p]; !twice {
		c.order = append(c.order, p)
	}
	c.places[p] = at
}

// note counts what one request has shown.
func (c *coverage) note(tx *pipeline.Transaction, d pipeline.Decision, e pipeline.Explained) {
	for _, s := range tx.Shadows {
		c.refused(s.Stage, s.Rule, e.Route)
	}
	if d.Kind == pipeline.Deny {
		c.refused(d.Stage, d.Rule, e.Route)
	}
	if tx.Route == nil {
		return
	}
	c.seen[point{"route", e.Route, whatAsked}] = true
	if d.Kind == pipeline.Allow {
		c.seen[point{"redirect", e.Route, whatLeads}] = true
	}
	c.origin(tx, e.Route)
	for _, stage := range e.Tree {
		switch stage.Text {
		case stageAuthorize:
			for _, rule := range stage.Under {
				c.rule(e.Route, rule)
			}
		case stageValidate:
			if stage.State == pipeline.Holds && !wouldDeny(tx.Shadows, stageValidate) {
				c.seen[point{"validate", e.Route, whatPasses}] = true
			}
		}
	}
}

// The stages whose explanations are read, by name.
const (
	stageAuthorize = "authorize"
	stageInspect   = "inspect"
	stageValidate  = "validate"
	limitSuffix    = "-limit"
)

// refused counts what refused a request, or would have in shadow.
func (c *coverage) refused(stage, rule, route string) {
	switch {
	case strings.HasSuffix(stage, limitSuffix):
		c.seen[point{"limit", rule, whatUsedUp}] = true
	case stage == stageInspect:
		c.seen[point{"waf", profileOf(rule), whatDenies}] = true
	case stage == stageValidate:
		c.seen[point{"validate", route, whatDenies}] = true
	}
}

// profileOf is the profile of "waf:PROFILE:RULEID" or "PROFILE:RULEID".
func profileOf(rule string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(rule, "waf:"), ":")
	return name
}

// rule counts one rule of an explanation. An allow rule that matches holds, a
// deny rule that matches fails; one that cannot be evaluated denies.
func (c *coverage) rule(route string, r pipeline.Reason) {
	if r.State == pipeline.Unasked || r.State == pipeline.Neutral {
		return
	}
	name := route + " " + r.Text
	matches := r.State == pipeline.Holds
	if strings.HasPrefix(r.Text, "deny") {
		matches = !matches
	}
	if matches {
		c.seen[point{"rule", name, whatTrue}] = true
	} else {
		c.seen[point{"rule", name, whatFalse}] = true
	}
}

// origin counts what pages have asked.
func (c *coverage) origin(tx *pipeline.Transaction, route string) {
	origin := tx.Request.Header.Get("Origin")
	if origin == "" {
		return
	}
	for _, r := range c.doc.Routes {
		if r.Name.V != route {
			continue
		}
		what := whatForeign
		if cors := c.doc.Effective(r).CORS; cors != nil {
			for _, known := range cors.Origins {
				if known.V == origin || known.V == "*" {
					what = whatOrigin
				}
			}
		}
		c.seen[point{"cors", route, what}] = true
	}
}

func wouldDeny(shadows []pipeline.Shadow, stage string) bool {
	return slices.ContainsFunc(shadows, func(s pipeline.Shadow) bool { return s.Stage == stage })
}

// sum is what has been seen so far.
func (c *coverage) sum() Coverage {
	sum := Coverage{Total: len(c.order), Routes: len(c.doc.Routes)}
	for _, r := range c.doc.Routes {
		sum.Rules += len(r.Allow) + len(r.Deny)
	}
	for _, p := range c.order {
		if c.seen[p] {
			sum.Covered++
			continue
		}
		name := p.name
		if p.kind == "rule" {
			route, rule, _ := strings.Cut(name, " ")
			name = rule + " of " + route
		}
		sum.Gaps = append(sum.Gaps, Gap{Kind: p.kind, Name: name, What: p.what, Pos: c.places[p]})
	}
	return sum
}
