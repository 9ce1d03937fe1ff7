package upstream

import (
	"net/url"

	"github.com/sony/gobreaker/v2"
)

// endpoint is one address and its breaker.
type endpoint struct {
	raw     string
	url     *url.URL
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	meter   endpointMeter
}

// EndpointStatus is how an endpoint stands.
type EndpointStatus struct {
	// Addr is host and port.
	Addr string `json:"addr"`
	// Breaker is closed, open or half-open.
	Breaker string `json:"breaker"`
	// Answered and Failures count the tries within the breaker's window; what
	// clients broke is in neither.
	Answered int `json:"answered"`
	Failures int `json:"failures"`
}

func newEndpoint(raw string, c Config) (*endpoint, error) {
	u, err := parseEndpoint(raw)
	if err != nil {
		return nil, err
	}
	e := &endpoint{raw: raw, url: u, meter: c.Metrics.endpoint(c.Name, u.Host)}
	e.breaker = newBreaker(c, u.Host, e.meter)
	return e, nil
}

func (e *endpoint) status() EndpointStatus {
	state := e.breaker.State() // first: it moves an expired window on
	counts := e.breaker.Counts()
	return EndpointStatus{
		Addr:     e.url.Host,
		Breaker:  state.String(),
		Answered: int(counts.TotalSuccesses + counts.TotalFailures),
		Failures: int(counts.TotalFailures),
	}
}

// pick takes the next endpoint in turn whose breaker lets the request pass, and
// the function that must be told how it went, exactly once. Endpoints in tried
// are left out. It returns nil when there is none.
func (u *Upstream) pick(tried uint64) (*endpoint, uint64, func(error)) {
	n := uint64(len(u.endpoints))
	start := uint64(0)
	if n > 1 {
		start = u.turn.Add(1)
	}
	for i := range n {
		at := (start + i) % n
		if tried&(1<<at) != 0 {
			continue
		}
		if done, err := u.endpoints[at].breaker.Allow(); err == nil {
			return u.endpoints[at], 1 << at, done
		}
	}
	return nil, 0, nil
}
