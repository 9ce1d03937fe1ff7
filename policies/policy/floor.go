package policy

import (
	"fmt"
	"slices"
)

func (v *validator) floor(f *Floor) {
	if why := wrongPath(f.Paths.V); f.Paths.Set && why != "" {
		v.report(f.Paths.Pos, CodeMatch, fmt.Sprintf("a route cannot match the path %q", f.Paths.V), why, "write /v1/* or /v1/hotels")
		return
	}
	for _, e := range f.Except {
		v.refers(e.Route, "route", "routes", v.routes)
	}
}

// covers reports whether some path that a pattern matches is held to the floor.
func (f *Floor) covers(path string) bool {
	return wrongPath(f.Paths.V) == "" && cut(f.Paths.V).overlaps(cut(path))
}

// excepts reports whether a route may go without what the floor needs. An
// exception past its day holds on: a date changes no decision.
func (f *Floor) excepts(r *Route, need string) bool {
	return slices.ContainsFunc(f.Except, func(e *FloorException) bool {
		return e.Route.V == r.Name.V && holds(e.Needs, need)
	})
}

// floors reports what a route leaves out under a path where none may.
func (v *validator) floors(r *Route, e Effective) {
	_, path := SplitMatch(r.Match.V)
	if v.doc.Gateway == nil || wrongPath(path) != "" {
		return
	}
	for _, f := range v.doc.Gateway.Floor {
		if !f.covers(path) {
			continue
		}
		for _, need := range f.Needs {
			at, below := v.doc.lacks(r, e, need.V)
			if !below || f.excepts(r, need.V) {
				continue
			}
			v.report(at, CodeFloor, fmt.Sprintf("route %q goes without %s", r.Name.V, need.V),
				fmt.Sprintf("%s needs it", f.Paths.V), "the floor stands at "+need.Pos.String())
		}
	}
}

// lacks reports whether a route goes without what a floor needs, and where it
// says so. Authorize is gone without when anyone may. What is in shadow refuses
// nobody, and does not count.
func (d *Document) lacks(r *Route, e Effective, need string) (Pos, bool) {
	switch need {
	case "authenticate":
		return r.NoAuthenticate.Pos, r.NoAuthenticate.Set
	case "limits":
		return d.without(r, r.NoLimits, e.Limits, d.limited)
	case "waf":
		return d.without(r, r.NoWAF, e.WAF, d.inspected)
	case "authorize":
		for _, rule := range r.Allow {
			if rule.Anyone.V && !rule.watches() {
				return rule.Anyone.Pos, true
			}
		}
	}
	return Pos{}, false
}

// without reports whether nothing that a route names is in force.
func (d *Document) without(r *Route, none Value[string], names []Value[string], enforced func([]Value[string]) bool) (Pos, bool) {
	switch {
	case none.Set:
		return none.Pos, true
	case enforced(names) || d.partial:
		return Pos{}, false
	case len(names) > 0:
		return names[0].Pos, true
	default:
		return r.Pos, true
	}
}
