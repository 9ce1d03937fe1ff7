package diff

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// side is one of the two documents, with what its names stand for.
type side struct {
	doc       *policy.Document
	gateway   policy.Gateway
	issuers   map[string]*policy.Issuer
	upstreams map[string]*policy.Upstream
	limits    map[string]*policy.Limit
	waf       map[string]*policy.WAFProfile
	claims    map[string]string // the declared types
	routes    []*served
	hosts     []string
}

// served is a route with its defaults worked out.
type served struct {
	*policy.Route
	policy.Effective
	side    *side
	methods []string
	path    path
}

func newSide(doc *policy.Document) *side {
	s := &side{
		doc:       doc,
		issuers:   byName(doc.Issuers, func(i *policy.Issuer) string { return i.Name.V }),
		upstreams: byName(doc.Upstreams, func(u *policy.Upstream) string { return u.Name.V }),
		limits:    byName(doc.Limits, func(l *policy.Limit) string { return l.Name.V }),
		waf:       byName(doc.WAF, func(p *policy.WAFProfile) string { return p.Name.V }),
		claims:    map[string]string{},
	}
	if doc.Gateway != nil {
		s.gateway = *doc.Gateway
	}
	s.hosts = policy.Values(s.gateway.Hosts)
	for _, i := range doc.Issuers {
		for _, c := range i.Claims {
			s.claims[c.Name] = c.Type.V
		}
	}
	for _, r := range doc.Routes {
		methods, pattern := policy.SplitMatch(r.Match.V)
		s.routes = append(s.routes, &served{
			Route: r, Effective: doc.Effective(r), side: s,
			methods: methods, path: cut(pattern),
		})
	}
	return s
}

func byName[T any](list []*T, name func(*T) string) map[string]*T {
	named := make(map[string]*T, len(list))
	for _, v := range list {
		named[name(v)] = v
	}
	return named
}

// urlOf is the issuer that a name stands for.
func (s *side) urlOf(name string) string {
	if i := s.issuers[name]; i != nil {
		return i.URL.V
	}
	return name
}

// issuerNames are the issuers by their names, in one text.
func (s *side) issuerNames() string {
	var all []string
	for name, i := range s.issuers {
		all = append(all, name+"="+i.URL.V)
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// declared are the declared claims by issuer, in one text.
func (s *side) declared() string {
	var all []string
	for _, i := range s.issuers {
		for _, c := range i.Claims {
			all = append(all, i.URL.V+" "+c.Name+" "+c.Type.V)
		}
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// mentions reports whether a rule of the route that decides asks for a claim.
func (r *served) mentions(claim string) bool {
	return slices.ContainsFunc(slices.Concat(r.Allow, r.Deny), func(p *policy.Rule) bool {
		return enforced(p.Mode) && (strings.Contains(p.When.V, claim) ||
			slices.ContainsFunc(p.Claims, func(c policy.ClaimIs) bool { return c.Name == claim }))
	})
}

// on reports whether the route serves a host; "" is one that no route names.
func (r *served) on(name string) bool {
	return len(r.Hosts) == 0 || slices.Contains(policy.Values(r.Hosts), name)
}

// authenticated reports whether the route asks who calls.
func (r *served) authenticated() bool { return len(r.Effective.Authenticate) > 0 }

// asked is the method that the route's rules are asked about: HEAD is served as
// GET where the route does not name it.
func (r *served) asked(method string) string {
	if method == http.MethodHead && !slices.Contains(r.methods, method) {
		return http.MethodGet
	}
	return method
}

const shadow = "shadow"

func enforced(mode policy.Value[string]) bool { return mode.V != shadow }
