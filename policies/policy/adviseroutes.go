package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// shadowed tells of routes of whose requests a more specific route takes some,
// and treats them otherwise: whoever reads the wider one may think that its
// rules hold for all that it matches.
func (a *adviser) shadowed() {
	root := &segment{}
	for _, r := range a.doc.Routes {
		if _, path := SplitMatch(r.Match.V); wrongPath(path) == "" {
			root.add(cut(path), r)
		}
	}
	for _, wide := range a.doc.Routes {
		_, path := SplitMatch(wide.Match.V)
		if wrongPath(path) != "" || !strings.ContainsAny(path, "{*") {
			continue
		}
		var takers []string
		root.overlapping(cut(path), func(r *Route) {
			if _, other := SplitMatch(r.Match.V); r != wide && moreSpecific(cut(other), cut(path)) && a.meet(r, wide) && a.access(r) != a.access(wide) {
				takers = append(takers, fmt.Sprintf("%s (%s)", r.Match.V, r.Name.V))
			}
		})
		if len(takers) > 0 {
			slices.Sort(takers)
			a.note(wide.Match.Pos, CodeShadowed, fmt.Sprintf("more specific routes take some requests of route %q and treat them differently: %s", wide.Name.V, some(takers)),
				"the more specific route decides alone", "")
		}
	}
}

// some names the first of many.
func some(names []string) string {
	const shown = 3
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// segment is a tree of the patterns of routes by their segments, in which those
// that overlap one are found without looking at all: there may be ten thousand.
type segment struct {
	literals    map[string]*segment
	param, rest *segment
	routes      []*Route
}

func (s *segment) add(p pattern, r *Route) {
	for _, name := range p {
		next := &s.rest
		switch {
		case isParam(name):
			next = &s.param
		case name != "*":
			if s.literals == nil {
				s.literals = map[string]*segment{}
			}
			if s.literals[name] == nil {
				s.literals[name] = &segment{}
			}
			s = s.literals[name]
			continue
		}
		if *next == nil {
			*next = &segment{}
		}
		s = *next
	}
	s.routes = append(s.routes, r)
}

// overlapping calls each for the routes whose pattern some path of p matches.
func (s *segment) overlapping(p pattern, each func(*Route)) {
	if s == nil {
		return
	}
	if len(p) == 0 {
		for _, r := range s.routes {
			each(r)
		}
		return
	}
	if s.rest != nil {
		s.rest.overlapping(nil, each)
	}
	if p[0] == "*" {
		s.param.all(each)
		for _, next := range s.literals {
			next.all(each)
		}
		return
	}
	s.param.overlapping(p[1:], each)
	if !isParam(p[0]) {
		s.literals[p[0]].overlapping(p[1:], each)
		return
	}
	for _, next := range s.literals {
		next.overlapping(p[1:], each)
	}
}

func (s *segment) all(each func(*Route)) {
	if s == nil {
		return
	}
	s.overlapping(nil, each)
	s.overlapping(pattern{"*"}, each)
}

// moreSpecific reports whether p is asked before q where both match: at the first
// segment where they differ a literal comes before a parameter, and that before
// a star.
func moreSpecific(p, q pattern) bool {
	for i := range min(len(p), len(q)) {
		if c := cmp.Compare(rank(p[i]), rank(q[i])); c != 0 {
			return c < 0
		}
	}
	return false
}

func rank(s string) int {
	switch {
	case s == "*":
		return 2
	case isParam(s):
		return 1
	default:
		return 0
	}
}

// meet reports whether two routes share a method and a host.
func (a *adviser) meet(r, o *Route) bool {
	methods, _ := SplitMatch(r.Match.V)
	others, _ := SplitMatch(o.Match.V)
	if !slices.ContainsFunc(methods, func(m string) bool { return slices.Contains(others, m) }) {
		return false
	}
	return len(r.Hosts) == 0 || len(o.Hosts) == 0 || slices.ContainsFunc(r.Hosts, func(h Value[string]) bool { return holds(o.Hosts, h.V) })
}

// access is who may use a route, as a text that is the same where the access is.
func (a *adviser) access(r *Route) string {
	var out strings.Builder
	issuers := func(vs []Value[string]) {
		for _, v := range vs {
			fmt.Fprintf(&out, " %q", v.V)
		}
		out.WriteByte('\n')
	}
	issuers(a.doc.Effective(r).Authenticate)
	for _, list := range [][]*Rule{r.Allow, r.Deny} {
		for _, rule := range list {
			if rule.watches() {
				continue
			}
			fmt.Fprintf(&out, "%v %q %q", rule.Anyone.V, rule.Owner.V, rule.When.V)
			for _, vs := range [][]Value[string]{rule.Scopes, rule.Clients, rule.Methods, rule.Networks} {
				issuers(vs)
			}
			for _, c := range rule.Claims {
				out.WriteString(c.Name)
				issuers(c.Values)
			}
			for _, h := range rule.Hours {
				fmt.Fprintf(&out, " %q", h.Text)
			}
		}
		out.WriteString("---\n")
	}
	return out.String()
}
