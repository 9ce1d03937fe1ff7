package compile

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
)

// Upstreams tells how every endpoint of a snapshot stands, by upstream.
func Upstreams(s *pipeline.Snapshot) map[string][]upstream.EndpointStatus {
	all := map[string][]upstream.EndpointStatus{}
	for name, u := range stateOf(s).upstreams {
		all[name] = u.Status()
	}
	return all
}

// IssuerStatus is how an issuer stands.
type IssuerStatus struct {
	Keys KeyStatus `json:"keys"`
	// Introspection is nil for an issuer that is not asked about tokens.
	Introspection *token.IntrospectionStatus `json:"introspection,omitempty"`
	// Revocations is nil for an issuer whose revocations nobody follows.
	Revocations *RevocationStatus `json:"revocations"`
}

// KeyStatus is how an issuer's keys stand.
type KeyStatus struct {
	Count int `json:"count"`
	// Fetched is when the issuer last showed them; absent when it never did.
	Fetched time.Time `json:"fetched,omitzero"`
	// Usable: there are keys, and they are young enough to be believed.
	Usable bool `json:"usable"`
	// Error is why the last fetch failed.
	Error string `json:"error,omitempty"`
}

// RevocationStatus is how the list of what an issuer has revoked stands.
type RevocationStatus struct {
	Entries int   `json:"entries"`
	Seq     int64 `json:"seq"`
	// Heard is when the issuer was last heard; absent when it never was.
	Heard time.Time `json:"heard,omitzero"`
	Stale bool      `json:"stale"`
	// Then is what becomes of its tokens while the list is stale.
	Then string `json:"then"`
	// Incomplete: some revocation could not be kept, and no token passes.
	Incomplete bool `json:"incomplete,omitempty"`
	// Polling: the whole list is read again and again, because the stream cannot be opened.
	Polling bool   `json:"polling,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Issuers tells how every issuer of a snapshot stands.
func Issuers(s *pipeline.Snapshot) map[string]IssuerStatus {
	all := map[string]IssuerStatus{}
	for name, i := range stateOf(s).issuers {
		all[name] = i.status()
	}
	return all
}

func (i issuer) status() IssuerStatus {
	keys := i.Status()
	all := IssuerStatus{Keys: KeyStatus{Count: keys.Keys, Fetched: keys.Fetched.UTC(), Usable: keys.Usable}, Introspection: i.Introspection()}
	if keys.Err != nil {
		all.Keys.Error = keys.Err.Error()
	}
	if i.revocations == nil {
		return all
	}
	r := i.revocations.Status()
	shown := &RevocationStatus{Entries: r.Entries, Seq: r.Seq, Heard: r.Heard.UTC(), Stale: r.Stale, Then: i.then, Incomplete: r.Incomplete, Polling: r.Polling}
	if r.Err != nil {
		shown.Error = r.Err.Error()
	}
	all.Revocations = shown
	return all
}

func stateOf(s *pipeline.Snapshot) *state {
	if s != nil {
		if st, ok := s.State.(*state); ok {
			return st
		}
	}
	return &state{}
}

// collector shows the revocations of the snapshot in force. It reads when it is
// asked: an issuer that a policy no longer names leaves no series behind.
type collector struct {
	current        *pipeline.Current
	stale, entries *prometheus.Desc
}

// NewCollector counts what the issuers of the snapshot in force have revoked.
func NewCollector(current *pipeline.Current) prometheus.Collector {
	return collector{
		current: current,
		stale:   prometheus.NewDesc("portcullis_revocations_stale", "1 while an issuer's revocations are missing or too old to be believed.", []string{"issuer"}, nil),
		entries: prometheus.NewDesc("portcullis_revocation_entries", "Revocations known of an issuer.", []string{"issuer"}, nil),
	}
}

func (c collector) Describe(to chan<- *prometheus.Desc) { to <- c.stale; to <- c.entries }

func (c collector) Collect(to chan<- prometheus.Metric) {
	for name, i := range Issuers(c.current.Load()) {
		if i.Revocations == nil {
			continue
		}
		stale := 0.0
		if i.Revocations.Stale {
			stale = 1
		}
		to <- prometheus.MustNewConstMetric(c.stale, prometheus.GaugeValue, stale, name)
		to <- prometheus.MustNewConstMetric(c.entries, prometheus.GaugeValue, float64(i.Revocations.Entries), name)
	}
}
