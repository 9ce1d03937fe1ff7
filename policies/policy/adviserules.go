package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// rules tells of the rules of a route that decide nothing. What cannot be
// proved is not told.
func (a *adviser) rules(r *Route) {
	for j, rule := range r.Allow {
		if i := slices.IndexFunc(r.Allow[:j], func(o *Rule) bool { return !o.watches() && a.implies(r, rule, o) }); i >= 0 {
			a.idle(r, rule, "allow", j, "adds nobody to those that "+r.Allow[i].Called("allow", i)+" allows", r.Allow[i])
			continue
		}
		if i := slices.IndexFunc(r.Deny, func(o *Rule) bool { return !o.watches() && a.implies(r, rule, o) }); i >= 0 {
			a.idle(r, rule, "allow", j, "allows nobody: "+r.Deny[i].Called("deny", i)+" denies everybody it matches", r.Deny[i])
		}
	}
	for j, rule := range r.Deny {
		if i := slices.IndexFunc(r.Deny[:j], func(o *Rule) bool { return !o.watches() && a.implies(r, rule, o) }); i >= 0 {
			a.idle(r, rule, "deny", j, "adds nobody to those that "+r.Deny[i].Called("deny", i)+" denies", r.Deny[i])
			continue
		}
		apart := func(o *Rule) bool { return o.watches() || a.apart(rule, o) }
		if !slices.ContainsFunc(r.Allow, func(o *Rule) bool { return !apart(o) }) && len(r.Allow) > 0 {
			a.idle(r, rule, "deny", j, "denies nobody: no allow rule lets in what it matches", r.Allow[0])
		}
	}
}

func (a *adviser) idle(r *Route, rule *Rule, kind string, i int, what string, other *Rule) {
	a.note(rule.Pos, CodeIdle, fmt.Sprintf("rule %s of route %q %s", rule.Called(kind, i), r.Name.V, what),
		"compare with "+other.Pos.String(), "leave it out, or write what was meant")
}

// implies reports whether every request that matches narrow matches wide, by
// comparing them condition by condition.
func (a *adviser) implies(r *Route, narrow, wide *Rule) bool {
	if wide.Anyone.V {
		return true
	}
	methods := narrow.Methods
	if list, _ := SplitMatch(r.Match.V); len(methods) == 0 {
		for _, m := range list {
			methods = append(methods, Value[string]{V: m})
		}
	}
	switch {
	case wide.Owner.Set && narrow.Owner.V != wide.Owner.V:
		return false
	case wide.When.Set && narrow.When.V != wide.When.V:
		return false
	case slices.ContainsFunc(wide.Scopes, func(s Value[string]) bool { return !holds(narrow.Scopes, s.V) }):
		return false
	case slices.ContainsFunc(wide.Claims, func(c ClaimIs) bool { return !narrow.claims(c) }):
		return false
	case !subset(narrow.Clients, wide.Clients) || !subset(methods, wide.Methods):
		return false
	case len(wide.Networks) > 0 && !covered(narrow.Networks, wide.Networks):
		return false
	default:
		return len(wide.Hours) == 0 || hoursWithin(narrow.Hours, wide.Hours)
	}
}

// claims reports whether a rule asks for no other values of a claim.
func (r *Rule) claims(c ClaimIs) bool {
	return slices.ContainsFunc(r.Claims, func(own ClaimIs) bool { return own.Name == c.Name && subset(own.Values, c.Values) })
}

// subset reports whether each of narrow is in wide; an empty list stands for
// everything.
func subset(narrow, wide []Value[string]) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n Value[string]) bool { return !holds(wide, n.V) })
}

// covered reports whether each network of narrow lies in one of wide.
func covered(narrow, wide []Value[string]) bool {
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n Value[string]) bool {
		return !slices.ContainsFunc(wide, func(w Value[string]) bool {
			in, err := netip.ParsePrefix(n.V)
			of, err2 := netip.ParsePrefix(w.V)
			return err == nil && err2 == nil && of.Bits() <= in.Bits() && of.Contains(in.Addr())
		})
	})
}

func hoursWithin(narrow, wide []Hours) bool {
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n Hours) bool {
		return !slices.ContainsFunc(wide, func(w Hours) bool {
			return n.Days == w.Days && n.Begin == w.Begin && n.End == w.End && n.Zone.String() == w.Zone.String()
		})
	})
}

// apart reports whether no request can match both rules.
func (a *adviser) apart(one, other *Rule) bool {
	return disjoint(one.Clients, other.Clients) || disjoint(one.Methods, other.Methods) ||
		slices.ContainsFunc(one.Claims, func(c ClaimIs) bool {
			return a.single(c.Name) && slices.ContainsFunc(other.Claims, func(o ClaimIs) bool { return o.Name == c.Name && disjoint(c.Values, o.Values) })
		}) || apartNetworks(one.Networks, other.Networks)
}

// disjoint reports whether two lists that both restrict have nothing in common.
func disjoint(one, other []Value[string]) bool {
	return len(one) > 0 && len(other) > 0 && !slices.ContainsFunc(one, func(v Value[string]) bool { return holds(other, v.V) })
}

func apartNetworks(one, other []Value[string]) bool {
	return len(one) > 0 && len(other) > 0 && !slices.ContainsFunc(one, func(v Value[string]) bool {
		return slices.ContainsFunc(other, func(w Value[string]) bool {
			a, err := netip.ParsePrefix(v.V)
			b, err2 := netip.ParsePrefix(w.V)
			return err != nil || err2 != nil || a.Overlaps(b)
		})
	})
}

// single reports whether a claim has one value: a list may hold two.
func (a *adviser) single(claim string) bool {
	for _, i := range a.doc.Issuers {
		for _, c := range i.Claims {
			if c.Name == claim {
				return c.Type.V != "texts"
			}
		}
	}
	return false
}

// idleException tells of an exception to a floor that its route does not need.
func (a *adviser) idleException(f *Floor, e *FloorException) {
	for _, r := range a.doc.Routes {
		if r.Name.V != e.Route.V {
			continue
		}
		_, path := SplitMatch(r.Match.V)
		below := cut(f.Paths.V).overlaps(cut(path))
		for _, need := range e.Needs {
			if _, lacking := a.doc.lacks(r, a.doc.Effective(r), need.V); !below || !lacking || !holds(f.Needs, need.V) {
				a.note(need.Pos, CodeIdle, fmt.Sprintf("route %q needs no exception to go without %s", r.Name.V, need.V),
					"the route stands at "+r.Pos.String(), "leave it out, or the route may one day go without it and nobody will notice")
			}
		}
	}
}
