// Package pipeline is the gateway's core: a snapshot is a compiled policy, a
// transaction is a request under one snapshot, a stage decides on a
// transaction. Everything that decides on a request does so through this
// package, whether the request is live, explained or tested.
package pipeline

import (
	"crypto/sha256"
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
	// Balancers are the peers that begin their connections with a header of the
	// PROXY protocol, which says whose they are.
	Balancers []netip.Prefix
	// ClientCertificates are what clients prove by host, ClientCertificate those
	// of every other host; nil for nothing. Ask by ClientAuth.
	ClientCertificates map[string]*ClientAuth
	ClientCertificate  *ClientAuth
	// Routes in the order of the policy.
	Routes []*Route
	// Unrouted are asked of requests that are refused before any stage of a
	// route, so that a flood of them meets a limit too.
	Unrouted []Stage
	// Response are the fields of answers to requests that no route took.
	Response Fields
	// Secrets is a digest of the secrets that were read for it: with one of them
	// rotated, a policy of the same version is another snapshot.
	Secrets [sha256.Size]byte
	// HTTPS is the public port to which plain http is sent.
	HTTPS int
	// WAFRules counts the rules loaded, by profile.
	WAFRules map[string]int
	// State is what the compiler carries over to the next snapshot; opaque
	// here.
	State any

	everywhere *table            // of the hosts that no route names
	byHost     map[string]*table // of the others
	contexts   sync.Pool         // *chi.Context
}

// Same reports whether o came of the same files and the same secrets.
func (s *Snapshot) Same(o *Snapshot) bool {
	return o != nil && s.Version == o.Version && s.Secrets == o.Secrets
}

// Index builds the routers from Routes; it must be called once, before the
// snapshot is used. It panics on a pattern chi cannot take: the compiler has
// validated them.
func (s *Snapshot) Index() {
	s.everywhere, s.byHost = newTables(s.Routes)
	s.contexts.New = func() any { return chi.NewRouteContext() }
}

func (s *Snapshot) table(host string) *table {
	if own := s.byHost[host]; own != nil {
		return own
	}
	return s.everywhere
}

// Match finds the route for a canonical host, a method and a canonical path and
// fills params with the path parameters. A HEAD request is served by the GET
// route when no HEAD route stands.
func (s *Snapshot) Match(host, method, path string, params Params) (*Route, Params) {
	t := s.table(host)
	route, params := t.find(&s.contexts, method, path, params)
	if route == nil && method == "HEAD" {
		return t.find(&s.contexts, "GET", path, params)
	}
	return route, params
}

// Allowed lists the methods that have a route at path, for the Allow field of
// a 405; empty when there is none at all.
func (s *Snapshot) Allowed(host, path string) string {
	t := s.table(host)
	var allowed []string
	for _, m := range t.methods {
		r, _ := t.find(&s.contexts, m, path, nil)
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
