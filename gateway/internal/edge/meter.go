package edge

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/pipeline"
)

// Meters makes the meters of routes and registers what they count.
type Meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	shadows  *prometheus.CounterVec
}

// NewMeters registers the request metrics with r.
func NewMeters(r prometheus.Registerer) (*Meters, error) {
	m := &Meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portcullis_requests_total",
			Help: "Requests that ended, by route, decision and class of status.",
		}, []string{"route", "decision", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "portcullis_request_seconds",
			Help:    "Time from the first byte of the head read to the answer complete.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		shadows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portcullis_shadow_total",
			Help: "Requests on which a rule, limit, profile or validation in mode shadow would have decided; fault says that it could not be asked.",
		}, []string{"route", "stage", "rule", "would"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.shadows} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Route returns the meter of a route; the name "none" is for requests that no
// route took.
func (m *Meters) Route(name string) pipeline.Meter {
	r := &routeMeter{seconds: m.seconds.WithLabelValues(name)}
	for kind := pipeline.Deny; kind <= pipeline.Fault; kind++ {
		for class := range r.counts[kind] {
			r.counts[kind][class] = m.requests.WithLabelValues(name, kind.String(), classes()[class])
		}
	}
	return r
}

// Shadow returns the counter of what something in mode shadow would have done.
// It shows as 0 from then on: what never would have denied anything can be told
// from what is not asked.
func (m *Meters) Shadow(route, stage, rule string, would pipeline.Kind) pipeline.Counter {
	return m.shadows.WithLabelValues(route, stage, rule, would.String())
}

// Forget ends the counters of a route, or with a rule, those of one in shadow.
// Requests under way count on, where nobody sees it.
func (m *Meters) Forget(route, stage, rule string) {
	if rule != "" || stage != "" {
		m.shadows.DeletePartialMatch(prometheus.Labels{"route": route, "stage": stage, "rule": rule})
		return
	}
	m.requests.DeletePartialMatch(prometheus.Labels{"route": route})
	m.seconds.DeletePartialMatch(prometheus.Labels{"route": route})
}

func classes() [6]string { return [6]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} }

// routeMeter holds the children of one route, looked up once.
type routeMeter struct {
	counts  [3][6]prometheus.Counter
	seconds prometheus.Observer
}

func (m *routeMeter) Observe(kind pipeline.Kind, status int, took time.Duration) {
	class := status / 100
	if class < 0 || class > 5 {
		class = 0
	}
	m.counts[kind][class].Inc()
	m.seconds.Observe(took.Seconds())
}
