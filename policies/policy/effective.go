package policy

import (
	"slices"
	"time"
)

// Effective is a route with its defaults worked out. Each value knows the place
// it came from; one that nobody wrote has none.
type Effective struct {
	Authenticate []Value[string] // issuers; empty when the route opts out
	Limits       []Value[string] // of the defaults first, then its own
	WAF          []Value[string] // profiles; empty when the route opts out
	Body         Value[int64]    // bytes
	Timeout      Value[time.Duration]
	Capacity     Value[int] // requests under way at once
	Upstream     Value[string]
	CORS         *CORS
	Response     Fields   // the route's own, then those of the defaults it does not set
	OptOuts      []OptOut // what the route leaves out, in the order of the stages
}

// OptOut is a stage that a route leaves out, and why.
type OptOut struct {
	Stage, Reason string
	Pos           Pos
}

// Effective works out what a route inherits. A limit by principal or client
// that comes from the defaults is left out where the route does not
// authenticate: there is no principal to count.
func (d *Document) Effective(r *Route) Effective {
	var defaults Defaults
	if d.Gateway != nil {
		defaults = d.Gateway.Defaults
	}
	e := Effective{
		WAF:      r.WAF,
		Body:     first(r.Body, defaults.Body, Value[int64]{V: defaultBody}),
		Timeout:  first(r.Timeout, defaults.Timeout, Value[time.Duration]{V: defaultTimeout}),
		Capacity: first(r.Capacity, defaults.Capacity, Value[int]{V: defaultCapacity}),
		Upstream: r.Upstream,
		CORS:     r.CORS,
		Response: r.Response.over(defaults.Response),
	}
	if len(e.WAF) == 0 {
		e.WAF = defaults.WAF
	}
	if e.CORS == nil {
		e.CORS = defaults.CORS
	}
	optOut := func(stage string, reason Value[string]) bool {
		if reason.Set {
			e.OptOuts = append(e.OptOuts, OptOut{stage, reason.V, reason.Pos})
		}
		return reason.Set
	}
	if !optOut("authenticate", r.NoAuthenticate) {
		e.Authenticate = merge(defaults.Authenticate, r.Authenticate)
	}
	if !optOut("limits", r.NoLimits) {
		inherited := slices.DeleteFunc(slices.Clone(defaults.Limits), func(name Value[string]) bool {
			return r.NoAuthenticate.Set && d.needsPrincipal(name.V)
		})
		e.Limits = merge(inherited, r.Limits)
	}
	if optOut("waf", r.NoWAF) {
		e.WAF = nil
	}
	return e
}

// limited reports whether any of the named limits is in force.
func (d *Document) limited(names []Value[string]) bool {
	return slices.ContainsFunc(names, func(name Value[string]) bool {
		return slices.ContainsFunc(d.Limits, func(l *Limit) bool { return l.Name.V == name.V && l.Mode.V != shadow })
	})
}

// inspected reports whether any of the named WAF profiles is in force.
func (d *Document) inspected(names []Value[string]) bool {
	return slices.ContainsFunc(names, func(name Value[string]) bool {
		p := d.profile(name.V)
		return p != nil && p.Mode.V != shadow
	})
}

func (d *Document) profile(name string) *WAFProfile {
	i := slices.IndexFunc(d.WAF, func(p *WAFProfile) bool { return p.Name.V == name })
	if i < 0 {
		return nil
	}
	return d.WAF[i]
}

// first is the first value that was written, or the last.
func first[T any](values ...Value[T]) Value[T] {
	for _, v := range values {
		if v.Set {
			return v
		}
	}
	return values[len(values)-1]
}

// over is f with those of base that f does not name.
func (f Fields) over(base Fields) Fields {
	out := Fields{Set: slices.Clone(f.Set), Remove: merge(base.Remove, f.Remove)}
	for _, b := range base.Set {
		if !slices.ContainsFunc(f.Set, func(own Field) bool { return own.Name == b.Name }) {
			out.Set = append(out.Set, b)
		}
	}
	return out
}

// needsPrincipal reports whether a limit counts by who calls.
func (d *Document) needsPrincipal(limit string) bool {
	return slices.ContainsFunc(d.Limits, func(l *Limit) bool {
		return l.Name.V == limit && (l.By.V == "principal" || l.By.V == "client")
	})
}

// merge is both lists in order, each name once.
func merge(defaults, own []Value[string]) []Value[string] {
	names := make([]Value[string], 0, len(defaults)+len(own))
	for _, v := range slices.Concat(defaults, own) {
		if !holds(names, v.V) {
			names = append(names, v)
		}
	}
	return names
}
