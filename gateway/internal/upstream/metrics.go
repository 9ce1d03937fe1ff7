package upstream

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// Metrics counts what upstreams do. One is made for the process and outlives
// every policy.
type Metrics struct {
	attempts *prometheus.CounterVec
	breaker  *prometheus.GaugeVec
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
	}
	return m, errors.Join(r.Register(m.attempts), r.Register(m.breaker))
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
