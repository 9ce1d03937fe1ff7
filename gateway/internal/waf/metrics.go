package waf

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what the proof in front of the engine does.
type Metrics struct {
	verdicts, rules, narrowed, dear, differences, rechecks *prometheus.CounterVec
	off                                                    *prometheus.GaugeVec
}

// NewMetrics registers them with r.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		verdicts:    counter("portcullis_waf_proof_total", "Requests that a WAF profile's proof was asked about: clean without the engine, or unsure.", "profile", "verdict"),
		rules:       counter("portcullis_waf_proof_unsure_total", "Requests that the proof was unsure about, by the rule whose condition is met; none for what is no rule's.", "profile", "rule"),
		narrowed:    counter("portcullis_waf_proof_narrowed_total", "Requests that are not clean and that only those rules were asked about that the proof could not rule out.", "profile"),
		dear:        counter("portcullis_waf_over_cost_total", "Requests that would have cost more to inspect than inspect.cost allows, and were refused, or let pass by inspect.over.", "profile"),
		differences: counter("portcullis_waf_proof_differences_total", "Requests that were proved clean and on which the engine has an effect, or that all rules judge otherwise than those that were asked. Anything but 0 is an alarm.", "profile"),
		rechecks:    counter("portcullis_waf_proof_rechecks_total", "Clean verdicts, and those of some rules, that were to be held against the whole engine, and were or were dropped because it was busy.", "profile", "result"),
		off: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portcullis_waf_proof_off", Help: "1 while the proof of a profile is switched off by itself, after a difference or a failure.",
		}, []string{"profile"}),
	}
	for _, c := range []prometheus.Collector{m.verdicts, m.rules, m.narrowed, m.dear, m.differences, m.rechecks, m.off} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Forget ends the series of a profile.
func (m *Metrics) Forget(profile string) {
	if m == nil {
		return
	}
	for _, c := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.verdicts, m.rules, m.narrowed, m.dear, m.differences, m.rechecks, m.off} {
		c.DeletePartialMatch(prometheus.Labels{"profile": profile})
	}
}

// mostUnsureRules bounds the rules that are counted apart, for each profile. The
// Core Rule Set has some hundreds; a dozen make nearly all the difference.
const mostUnsureRules = 100

// What stands in place of a rule where it was none.
const (
	unsureNone  = 0
	unsurePanic = -1
)

// meter counts for one profile. A nil one counts nothing.
type meter struct {
	metrics                      *Metrics
	profile                      string
	proved, doubted, differences prometheus.Counter
	narrowed, dear               prometheus.Counter
	recheckedOnes, droppedOnes   prometheus.Counter
	off                          prometheus.Gauge
	rules                        sync.Map // of counters, by id
	mu                           sync.Mutex
	counted                      int
}

// of makes the series of a profile, so that they show from the start.
func (m *Metrics) of(profile string) *meter {
	if m == nil {
		return nil
	}
	return &meter{
		metrics: m, profile: profile,
		proved: m.verdicts.WithLabelValues(profile, "clean"), doubted: m.verdicts.WithLabelValues(profile, "unsure"),
		narrowed:      m.narrowed.WithLabelValues(profile),
		dear:          m.dear.WithLabelValues(profile),
		differences:   m.differences.WithLabelValues(profile),
		recheckedOnes: m.rechecks.WithLabelValues(profile, "held"), droppedOnes: m.rechecks.WithLabelValues(profile, "dropped"),
		off: m.off.WithLabelValues(profile),
	}
}

func (m *meter) clean() {
	if m != nil {
		m.proved.Inc()
	}
}

func (m *meter) narrows() {
	if m != nil {
		m.narrowed.Inc()
	}
}

func (m *meter) over() {
	if m != nil {
		m.dear.Inc()
	}
}

func (m *meter) differs() {
	if m != nil {
		m.differences.Inc()
	}
}

func (m *meter) switchedOff() {
	if m != nil {
		m.off.Set(1)
	}
}

func (m *meter) rechecked() {
	if m != nil {
		m.recheckedOnes.Inc()
	}
}

func (m *meter) dropped() {
	if m != nil {
		m.droppedOnes.Inc()
	}
}

func (m *meter) unsure(rule int) {
	if m == nil {
		return
	}
	m.doubted.Inc()
	if c, ok := m.rules.Load(rule); ok {
		c.(prometheus.Counter).Inc()
		return
	}
	m.byRule(rule).Inc()
}

// byRule makes the counter of a rule.
func (m *meter) byRule(rule int) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.rules.Load(rule); ok {
		return c.(prometheus.Counter)
	}
	label := strconv.Itoa(rule)
	switch {
	case rule == unsureNone:
		label = "none"
	case rule == unsurePanic:
		label = "panic"
	case m.counted >= mostUnsureRules:
		return m.metrics.rules.WithLabelValues(m.profile, "other")
	default:
		m.counted++
	}
	c := m.metrics.rules.WithLabelValues(m.profile, label)
	m.rules.Store(rule, c)
	return c
}
