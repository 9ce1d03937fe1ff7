package diff

import (
	"maps"
	"net/http"
	"slices"
)

// tree finds the route of a request as the router of the gateway does: segment
// by segment a literal is preferred to a parameter and that to a star, and
// what leads nowhere is gone back from. An empty segment, a path's last, is no
// parameter.
type tree struct {
	literals map[string]*tree
	param    *tree
	star     *tree
	// path and routes, by method, are those that end here.
	path   path
	routes map[string]*served
}

func (t *tree) add(p path, r *served) {
	for _, segment := range p {
		t = t.child(segment)
	}
	if t.routes == nil {
		t.path, t.routes = p, map[string]*served{}
	}
	for _, method := range r.methods {
		t.routes[method] = r
	}
}

func (t *tree) child(segment string) *tree {
	into := &t.param
	switch {
	case segment == star:
		into = &t.star
	case isLiteral(segment):
		if t.literals == nil {
			t.literals = map[string]*tree{}
		}
		if t.literals[segment] == nil {
			t.literals[segment] = &tree{}
		}
		return t.literals[segment]
	}
	if *into == nil {
		*into = &tree{}
	}
	return *into
}

// match is the route of a request, or nil. As in the gateway, HEAD is served
// as GET where no route for HEAD stands.
func (t *tree) match(method string, sample path) *served {
	r := t.find(method, sample)
	if r == nil && method == http.MethodHead {
		r = t.find(http.MethodGet, sample)
	}
	return r
}

func (t *tree) find(method string, sample path) *served {
	if t == nil {
		return nil
	}
	if len(sample) == 0 {
		return t.routes[method]
	}
	if r := t.literals[sample[0]].find(method, sample[1:]); r != nil {
		return r
	}
	if sample[0] != "" {
		if r := t.param.find(method, sample[1:]); r != nil {
			return r
		}
	}
	if t.star != nil {
		return t.star.routes[method]
	}
	return nil
}

// meeting calls found for each node whose path shares requests with p.
func (t *tree) meeting(p path, found func(*tree)) {
	switch {
	case t == nil:
	case len(p) == 0:
		if t.routes != nil {
			found(t)
		}
	case p[0] == star:
		t.each(func(below *tree) {
			if below != t && below.routes != nil {
				found(below)
			}
		})
	default:
		if t.star != nil {
			found(t.star)
		}
		t.param.meeting(p[1:], found)
		if isLiteral(p[0]) {
			t.literals[p[0]].meeting(p[1:], found)
			return
		}
		for _, below := range t.sorted() {
			below.meeting(p[1:], found)
		}
	}
}

// each calls visit for the node and all below it.
func (t *tree) each(visit func(*tree)) {
	if t == nil {
		return
	}
	visit(t)
	for _, below := range t.sorted() {
		below.each(visit)
	}
	t.param.each(visit)
	t.star.each(visit)
}

// sorted are the nodes below literals, always in the same order: so is a report.
func (t *tree) sorted() []*tree {
	nodes := make([]*tree, 0, len(t.literals))
	for _, segment := range slices.Sorted(maps.Keys(t.literals)) {
		nodes = append(nodes, t.literals[segment])
	}
	return nodes
}
