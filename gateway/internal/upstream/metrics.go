package upstream

import (
	"errors"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"

	"portcullis/services/problem"
)

// Metrics counts what upstreams do. One is made for the process and outlives
// every policy.
type Metrics struct {
	attempts  *prometheus.CounterVec
	breaker   *prometheus.GaugeVec
	exchanges *prometheus.CounterVec
}

// NewMetrics registers the upstream metrics with r.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portcullis_upstream_attempts_total",
			Help: "Tries to have a request answered, by outcome: success, failure, or excluded when the client spoiled it.",
		}, []string{"upstream", "endpoint", "outcome"}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portcullis_breaker_state",
			Help: "State of an endpoint's breaker: 0 closed, 1 half-open, 2 open.",
		}, []string{"upstream", "endpoint"}),
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portcullis_exchanges_total",
			Help: "Requests whose token was to be exchanged, anew or from what is kept, by result: success, refused by the token service, " +
				"failure when it could not be asked, disowned when the upstream refused the token that came of it.",
		}, []string{"upstream", "result"}),
	}
	return m, errors.Join(r.Register(m.attempts), r.Register(m.breaker), r.Register(m.exchanges))
}

// forget ends what is told of the endpoints of u that next, which may be nil,
// does not have: a breaker that was open when its endpoint went would be so for
// ever.
func (m *Metrics) forget(u, next *Upstream) {
	if m == nil {
		return
	}
	for _, e := range u.endpoints {
		if next == nil || !slices.ContainsFunc(next.endpoints, func(o *endpoint) bool { return o.url.Host == e.url.Host }) {
			of := prometheus.Labels{"upstream": u.config.Name, "endpoint": e.url.Host}
			m.attempts.DeletePartialMatch(of)
			m.breaker.DeletePartialMatch(of)
		}
	}
	if u.exchanger != nil && (next == nil || next.exchanger == nil) {
		m.exchanges.DeletePartialMatch(prometheus.Labels{"upstream": u.config.Name})
	}
}

// endpointMeter holds the children of one endpoint, looked up once.
type endpointMeter struct {
	success, failure, excluded prometheus.Counter
	breaker                    prometheus.Gauge
}

func (m *Metrics) endpoint(upstream, addr string) endpointMeter {
	if m == nil {
		return endpointMeter{}
	}
	return endpointMeter{
		success:  m.attempts.WithLabelValues(upstream, addr, "success"),
		failure:  m.attempts.WithLabelValues(upstream, addr, "failure"),
		excluded: m.attempts.WithLabelValues(upstream, addr, "excluded"),
		breaker:  m.breaker.WithLabelValues(upstream, addr),
	}
}

func (m endpointMeter) attempt(verdict error) {
	switch {
	case m.success == nil:
	case verdict == nil:
		m.success.Inc()
	case errors.Is(verdict, errExcluded):
		m.excluded.Inc()
	default:
		m.failure.Inc()
	}
}

func (m endpointMeter) state(s gobreaker.State) {
	if m.breaker != nil {
		m.breaker.Set(float64(s))
	}
}

// exchangeMeter counts the exchanges of one upstream; its children are looked
// up once.
type exchangeMeter struct{ success, refused, failure, disowned prometheus.Counter }

func (m *Metrics) exchange(upstream string) exchangeMeter {
	if m == nil {
		return exchangeMeter{}
	}
	return exchangeMeter{
		success:  m.exchanges.WithLabelValues(upstream, "success"),
		refused:  m.exchanges.WithLabelValues(upstream, "refused"),
		failure:  m.exchanges.WithLabelValues(upstream, "failure"),
		disowned: m.exchanges.WithLabelValues(upstream, "disowned"),
	}
}

// failed tells a "no" of the token service from having no answer.
func (m exchangeMeter) failed(err error) {
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Status() < http.StatusInternalServerError {
		count(m.refused)
		return
	}
	count(m.failure)
}

// count adds one, where metrics are kept.
func count(c prometheus.Counter) {
	if c != nil {
		c.Inc()
	}
}
