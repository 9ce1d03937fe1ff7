package diff

import (
	"net/http"
	"slices"
	"strings"
)

// pair is two routes that handle the same requests, one before and one after.
// One of them is nil where nobody handled them, or nobody does any more.
type pair struct {
	old, new *served
	methods  []string
	paths    []path
	hosts    []string // "" stands for those that no route names
	of       *pairing
}

// meetingsMost bounds the work on patterns that overlap: real policies have
// about one meeting a route.
const meetingsMost = 2_000_000

// pairing finds which routes handle the same requests.
type pairing struct {
	pairs    []*pair
	known    map[[2]*served]*pair
	hosts    []string // see hostClasses
	unnamed  []string // those that "" stands for
	meetings int
}

// pair finds the pairs of all hosts that both sides serve. It is false when
// there are too many patterns that overlap.
//
// Every request is stood for by a sample. Say that before route a handles it
// and after route b, with the patterns p and q. The sample of their meeting
// matches p and q. A route that matches the sample has a literal only where
// the meeting has the same, so that it matches the request too; and since the
// precedence of patterns does not depend on the request, a and b handle the
// sample as well. A star is sampled at each length that a pattern tells apart.
func (g *pairing) pair(old, now *side) bool {
	g.known = map[[2]*served]*pair{}
	g.hosts, g.unnamed = hostClasses(old, now)
	for _, h := range g.hosts {
		before, after := plant(old, h), plant(now, h)
		if !g.meet(h, before, after) {
			return false
		}
	}
	return true
}

// hostClasses are the hosts that routes name and both sides serve, and "" for
// the others, which are unnamed: on those all routes without hosts are found,
// and no other.
func hostClasses(old, now *side) (classes, unnamed []string) {
	named := map[string]bool{}
	for _, s := range []*side{old, now} {
		for _, r := range s.routes {
			for _, h := range r.Hosts {
				named[h.V] = true
			}
		}
	}
	for _, h := range old.hosts {
		switch {
		case !slices.Contains(now.hosts, h):
		case named[h]:
			classes = append(classes, h)
		default:
			unnamed = append(unnamed, h)
		}
	}
	if len(unnamed) > 0 || len(classes) == 0 {
		classes = append(classes, "")
	}
	return classes, unnamed
}

// planted is the tree of the routes on one host.
type planted struct {
	tree
	longest int
}

func plant(s *side, host string) *planted {
	t := &planted{}
	for _, r := range s.routes {
		if r.on(host) {
			t.add(r.path, r)
			t.longest = max(t.longest, len(r.path))
		}
	}
	return t
}

func (g *pairing) meet(host string, before, after *planted) bool {
	longest := max(before.longest, after.longest) + 1
	seen := map[string]bool{}
	sample := func(p path, methods []string) {
		samples := p.samples(longest)
		for _, m := range methods {
			key := m + " " + p.shape()
			if seen[key] {
				continue
			}
			seen[key] = true
			for _, s := range samples {
				g.add(before.match(m, s), after.match(m, s), host, m, p)
			}
		}
	}
	within := true
	before.each(func(o *tree) {
		if o.routes == nil || !within {
			return
		}
		sample(o.path, methods(o))
		after.meeting(o.path, func(n *tree) {
			g.meetings++
			p, ok := o.path.meet(n.path)
			if within = within && g.meetings <= meetingsMost; !ok || !within {
				return
			}
			sample(p, shared(methods(o), methods(n)))
		})
	})
	after.each(func(n *tree) {
		if n.routes != nil {
			sample(n.path, methods(n))
		}
	})
	return within
}

// methods are those a node serves, with HEAD wherever GET is.
func methods(t *tree) []string {
	var all []string
	for m := range t.routes {
		all = append(all, m)
	}
	if t.routes[http.MethodGet] != nil && t.routes[http.MethodHead] == nil {
		all = append(all, http.MethodHead)
	}
	slices.Sort(all)
	return all
}

func shared(a, b []string) []string {
	var both []string
	for _, m := range a {
		if slices.Contains(b, m) {
			both = append(both, m)
		}
	}
	return both
}

func (g *pairing) add(old, now *served, host, method string, p path) {
	if old == nil && now == nil {
		return
	}
	key := [2]*served{old, now}
	known := g.known[key]
	if known == nil {
		known = &pair{old: old, new: now, of: g}
		g.known[key] = known
		g.pairs = append(g.pairs, known)
	}
	if !slices.Contains(known.methods, method) {
		known.methods = append(known.methods, method)
	}
	if !slices.Contains(known.hosts, host) {
		known.hosts = append(known.hosts, host)
	}
	known.cover(p)
}

// cover adds a path that the pair handles, unless it is known already.
func (p *pair) cover(add path) {
	if slices.ContainsFunc(p.paths, func(q path) bool { return add.within(q) }) {
		return
	}
	p.paths = append(slices.DeleteFunc(p.paths, func(q path) bool { return q.within(add) }), add)
}

// on names the requests of a pair, for some of its methods.
func (p *pair) on(methods []string) []string {
	written := slices.Clone(methods)
	if slices.Contains(written, http.MethodGet) {
		written = slices.DeleteFunc(written, func(m string) bool { return m == http.MethodHead && !p.names(m) })
	}
	slices.SortFunc(written, func(a, b string) int { return rank(a) - rank(b) })
	where := ""
	if len(p.hosts) < len(p.of.hosts) {
		var hosts []string
		for _, h := range p.hosts {
			if h == "" {
				hosts = append(hosts, p.of.unnamed...)
			} else {
				hosts = append(hosts, h)
			}
		}
		where = " on " + strings.Join(hosts, ", ")
	}
	var on []string
	for _, path := range p.paths {
		on = append(on, strings.Join(written, ",")+" "+p.spelled(path).String()+where)
	}
	return on
}

// spelled is a path with the parameters' names of the newer route of its shape.
func (p *pair) spelled(q path) path {
	for _, r := range []*served{p.new, p.old} {
		if r != nil && r.path.shape() == q.shape() {
			return r.path
		}
	}
	return q
}

// names reports whether a route of the pair names the method itself.
func (p *pair) names(method string) bool {
	return p.old != nil && slices.Contains(p.old.methods, method) || p.new != nil && slices.Contains(p.new.methods, method)
}

func rank(method string) int {
	return slices.Index([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}, method)
}
