// Package ops is what operators read on the private port. It only reads: what
// changes state has no business on a TCP port.
package ops

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/chassis"
)

// Config is what the ops pages tell about.
type Config struct {
	// Current gives the snapshot in force.
	Current *pipeline.Current
	// Upstreams, Issuers and Reload give values that show as JSON: how endpoints
	// and their breakers stand, what is known to be revoked, and how the last
	// reload went. TLS, if set, gives what the public port serves, and until when.
	Upstreams, Issuers, Reload, TLS func() any
	Started                         time.Time
}

// New serves GET /status; health, readiness and metrics are the chassis's.
func New(c Config) http.Handler {
	mux := chi.NewRouter()
	mux.Get("/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		// The reader has gone when this fails; there is nobody to tell.
		_ = encoder.Encode(c.status())
	})
	return mux
}

type status struct {
	Build     string         `json:"build"`
	Started   time.Time      `json:"started"`
	Policy    any            `json:"policy"`
	TLS       any            `json:"tls,omitempty"`
	Hosts     int            `json:"hosts"`
	Routes    []route        `json:"routes"`
	WAFRules  map[string]int `json:"waf_rules"`
	Upstreams any            `json:"upstreams"`
	Issuers   any            `json:"issuers"`
}

type route struct {
	Name     string            `json:"name"`
	Match    string            `json:"match"`
	Place    string            `json:"place"`
	Hosts    []string          `json:"hosts,omitempty"`
	Upstream string            `json:"upstream"`
	Stages   []string          `json:"stages"`
	OptOuts  []pipeline.OptOut `json:"opt_outs,omitempty"`
}

func (c Config) status() status {
	s := status{Build: chassis.Build(), Started: c.Started.UTC(), Policy: c.Reload(), Upstreams: c.Upstreams(), Issuers: c.Issuers()}
	if c.TLS != nil {
		s.TLS = c.TLS()
	}
	snapshot := c.Current.Load()
	if snapshot == nil {
		return s
	}
	s.Hosts, s.WAFRules = len(snapshot.Hosts), snapshot.WAFRules
	for _, r := range snapshot.Routes {
		shown := route{Name: r.Name, Match: strings.Join(r.Methods, ",") + " " + r.Pattern, Place: r.Place, Hosts: r.Hosts, Upstream: r.Upstream, OptOuts: r.OptOuts}
		for _, stage := range r.Stages {
			shown.Stages = append(shown.Stages, stage.Name())
		}
		s.Routes = append(s.Routes, shown)
	}
	return s
}
