package chassis

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewMetrics returns a registry with what every process here tells of itself:
// the runtime's figures, the process's, and in PREFIX_events_dropped_total how
// many lines events has lost.
func NewMetrics(prefix string, events *EventWriter) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: prefix + "_events_dropped_total",
			Help: "Events lost because their reader was too slow.",
		}, func() float64 { return float64(events.Dropped()) }),
	)
	return registry
}
