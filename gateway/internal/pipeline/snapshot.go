// Package pipeline is the gateway's core: a snapshot is a compiled policy, a
// transaction is a request under one snapshot, a stage decides on a
// transaction. Everything that decides on a request does so through this
// package, whether the request is live, explained or tested.
package pipeline

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
)

// Snapshot is one compiled policy: immutable, shared by all requests that
// began while it was current.
type Snapshot struct {
	// Version is the SHA-256, in hex, over the files it came from.
	Version string
	// Hosts are the names served, lower case; any other is refused with 421.
	Hosts map[string]bool
	// Trusted are the proxies whose X-Forwarded-For is believed.
	Trusted []netip.Prefix
	// Routes in the order of the policy.
	Routes []*Route
	// Unrouted are asked of requests that are refused before any stage of a
	// route, so that a flood of them meets a limit too.
	Unrouted []Stage
	// WAFRules counts the rules loaded, by profile.
	WAFRules map[string]int
	// State is what the compiler carries over to the next snapshot; opaque
	// here.
	State any

	mux     *chi.Mux
	byRoute map[routeKey]*Route
	methods []string
	pool    sync.Pool
}

type routeKey struct{ method, pattern string }

// Index builds the router from Routes; it must be called once, before the
// snapshot is used. It panics on a pattern chi cannot take: the compiler has
// validated them.
func (s *Snapshot) Index() {
	s.mux = chi.NewRouter()
	s.byRoute = make(map[routeKey]*Route, len(s.Routes))
	unused := http.NotFoundHandler() // chi skips patterns without a handler; only Find is ever called
	for _, r := range s.Routes {
		s.mux.Method(r.Method, r.Pattern, unused)
		s.byRoute[routeKey{r.Method, r.Pattern}] = r
		if !slices.Contains(s.methods, r.Method) {
			s.methods = append(s.methods, r.Method)
		}
	}
	s.pool.New = func() any { return chi.NewRouteContext() }
}

// Match finds the route for a method and a canonical path and fills params
// with the path parameters. A HEAD request is served by the GET route when no
// HEAD route stands.
func (s *Snapshot) Match(method, path string, params Params) (*Route, Params) {
	route, params := s.find(method, path, params)
	if route == nil && method == "HEAD" {
		return s.find("GET", path, params)
	}
	return route, params
}

func (s *Snapshot) find(method, path string, params Params) (*Route, Params) {
	ctx := s.pool.Get().(*chi.Context)
	defer s.pool.Put(ctx)
	ctx.Reset()
	pattern := s.mux.Find(ctx, method, path)
	if pattern == "" {
		return nil, params
	}
	for i, key := range ctx.URLParams.Keys {
		if i < len(ctx.URLParams.Values) {
			params = append(params, Param{key, ctx.URLParams.Values[i]})
		}
	}
	return s.byRoute[routeKey{method, pattern}], params
}

// Allowed lists the methods that have a route at path, for the Allow field of
// a 405; empty when there is none at all.
func (s *Snapshot) Allowed(path string) string {
	var allowed []string
	for _, m := range s.methods {
		r, _ := s.find(m, path, nil)
		if r == nil || slices.Contains(allowed, m) {
			continue
		}
		allowed = append(allowed, m)
		if m == "GET" && !slices.Contains(allowed, "HEAD") {
			allowed = append(allowed, "HEAD")
		}
	}
	return strings.Join(allowed, ", ")
}

// Current is the one atomic pointer to the snapshot in force.
type Current struct{ p atomic.Pointer[Snapshot] }

// Load returns the snapshot in force, or nil before the first Store.
func (c *Current) Load() *Snapshot { return c.p.Load() }

// Store makes s the snapshot for requests that begin from now on.
func (c *Current) Store(s *Snapshot) { c.p.Store(s) }
