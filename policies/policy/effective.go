package policy

import (
	"slices"
	"time"
)

// What holds where neither a route nor the defaults say anything.
const (
	defaultBody    = 64 << 10
	defaultTimeout = 3 * time.Second
	// defaultCapacity keeps a hanging backend from holding more than about a
	// quarter of the connections the gateway accepts.
	defaultCapacity = 1000
)

// Effective is a route with its defaults worked out.
type Effective struct {
	Authenticate []string // issuers; empty when the route opts out
	Limits       []string // of the defaults first, then its own
	WAF          string   // profile; empty when the route opts out
	Body         int64    // bytes
	Timeout      time.Duration
	Capacity     int // requests under way at once
	Upstream     string
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
		WAF:      r.WAF.Or(defaults.WAF.V),
		Body:     r.Body.Or(defaults.Body.Or(defaultBody)),
		Timeout:  r.Timeout.Or(defaults.Timeout.Or(defaultTimeout)),
		Capacity: r.Capacity.Or(defaults.Capacity.Or(defaultCapacity)),
		Upstream: r.Upstream.V,
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
		e.WAF = ""
	}
	return e
}

// needsPrincipal tells whether a limit counts by who calls.
func (d *Document) needsPrincipal(limit string) bool {
	return slices.ContainsFunc(d.Limits, func(l *Limit) bool {
		return l.Name.V == limit && (l.By.V == "principal" || l.By.V == "client")
	})
}

// merge is both lists in order, each name once.
func merge(defaults, own []Value[string]) []string {
	names := make([]string, 0, len(defaults)+len(own))
	for _, v := range slices.Concat(defaults, own) {
		if !slices.Contains(names, v.V) {
			names = append(names, v.V)
		}
	}
	return names
}
