package upstream

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// What a breaker is told about a try. A try nobody but the client spoiled says
// nothing about the endpoint, so it counts neither way: else a few clients that
// hang up could take a service away from everyone.
var (
	errFailed   = errors.New("the endpoint failed")
	errExcluded = errors.New("the try says nothing about the endpoint")
)

// buckets is how finely the breaker's window slides.
const buckets = 10

func newBreaker(c Config, addr string, m endpointMeter) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	samples, percent := uint32(c.Breaker.Samples), uint64(c.Breaker.Failures)
	log, name := c.Log, c.Name
	m.state(gobreaker.StateClosed)
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         addr,
		MaxRequests:  1,
		Interval:     c.Breaker.Window,
		BucketPeriod: max(c.Breaker.Window/buckets, time.Millisecond),
		Timeout:      c.Breaker.Open,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			answered := n.TotalSuccesses + n.TotalFailures
			return answered >= samples && uint64(n.TotalFailures)*100 >= uint64(answered)*percent
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errExcluded) },
		OnStateChange: func(addr string, from, to gobreaker.State) {
			m.state(to)
			// The breaker's lock is held here; a stalled log must not hold it too.
			go log.Warn("breaker changed", "upstream", name, "endpoint", addr, "from", from.String(), "to", to.String())
		},
	})
}

// verdict judges a status: 501 and 505 answer what the client asked for.
func verdict(status int) error {
	if status >= 500 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported {
		return errFailed
	}
	return nil
}

// probePatience is how long a probe of a half-open breaker may wait for its
// client.
const probePatience = time.Second

// probe is done for a probe with a body. A half-open breaker lets nobody else
// pass until it has heard of its probe: a client that keeps its body back would
// keep everybody out. Once it has, its place is another's.
func (u *upload) probe(done func(error)) func(error) {
	var once sync.Once
	over := make(chan struct{})
	go func() {
		timer := time.NewTimer(probePatience)
		defer timer.Stop()
		for {
			select {
			case <-over:
				return
			case <-timer.C:
			}
			left := probePatience - u.waited()
			if left <= 0 {
				once.Do(func() { done(errExcluded) })
				return
			}
			timer.Reset(max(left, probePatience/10))
		}
	}()
	return func(err error) {
		close(over)
		once.Do(func() { done(err) })
	}
}
