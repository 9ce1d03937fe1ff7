package listen

import (
	"errors"
	"net"
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// result is what came of a connection before HTTP.
type result int

const (
	served    result = iota
	unproxied        // no PROXY header, or one that cannot be believed
	greedy           // its source has too many connections
	crowded          // too many handshakes, of its source or of all
	late             // its handshake took too long
	failed           // its handshake failed
	results
)

func names() [results]string {
	return [results]string{"served", "proxy_header", "source_full", "handshakes_full", "handshake_timeout", "handshake_failed"}
}

func outcome(err error) result {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
		return late
	}
	return failed
}

type metrics struct {
	results  [results]prometheus.Counter
	relieved prometheus.Counter
}

func (m *metrics) count(r result) { m.results[r].Inc() }

func newMetrics(a *Acceptor, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{}
	connections := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "portcullis_connections_total",
		Help: "Connections to the public port, by what came of them before HTTP.",
	}, []string{"result"})
	for i, name := range names() {
		m.results[i] = connections.WithLabelValues(name)
	}
	m.relieved = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "portcullis_connections_relieved_total",
		Help: "Connections that asked for nothing and were closed because others waited for a place.",
	})
	for _, c := range []prometheus.Collector{connections, m.relieved, collector{a}} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// collector tells what stands at the moment it is asked.
type collector struct{ acceptor *Acceptor }

func (collector) Describe(out chan<- *prometheus.Desc) {
	out <- openDesc()
	out <- expiryDesc()
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	for p, n := range c.acceptor.crowd.count() {
		out <- prometheus.MustNewConstMetric(openDesc(), prometheus.GaugeValue, float64(n), phaseNames()[p])
	}
	for _, s := range c.acceptor.shelf.Served() {
		out <- prometheus.MustNewConstMetric(expiryDesc(), prometheus.GaugeValue, float64(s.NotAfter.Unix()), s.File)
	}
}

func phaseNames() [phases]string { return [phases]string{"handshake", "silent", "idle", "busy"} }

func openDesc() *prometheus.Desc {
	return prometheus.NewDesc("portcullis_connections_open", "Connections to the public port, by what they are doing.", []string{"state"}, nil)
}

func expiryDesc() *prometheus.Desc {
	return prometheus.NewDesc("portcullis_certificate_expiry_timestamp_seconds", "When a certificate shown to clients ends, in seconds since 1970.", []string{"file"}, nil)
}
