package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// window is how far back the breaker counts, in steps of bucket.
	window = 10 * time.Second
	bucket = time.Second
	// samples is how many attempts the breaker must have seen before it judges:
	// one failure out of one says little.
	samples = 10
	// openFor is how long a peer in trouble is left alone.
	openFor = 3 * time.Second
)

// breaker is a transport that stops calling a peer of whose last attempts half
// failed. It counts attempts, not calls: retries are load too.
type breaker struct {
	next    http.RoundTripper
	circuit *gobreaker.CircuitBreaker[*http.Response]
}

// errServerFailed tells the circuit that an answer was a failure; it never
// leaves the breaker.
var errServerFailed = errors.New("the peer answered with a server error")

func newBreaker(name string, next http.RoundTripper, log *slog.Logger) *breaker {
	return &breaker{next: next, circuit: gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{
		Name:         name,
		Interval:     window,
		BucketPeriod: bucket,
		Timeout:      openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.Requests >= samples && 2*c.TotalFailures >= c.Requests
		},
		// A caller that hangs up says nothing about the peer. A deadline that
		// passes does: it is ours.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("the breaker changed", "peer", name, "from", from.String(), "to", to.String())
		},
	})}
}

// RoundTrip sends the request unless the breaker is open.
func (b *breaker) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := false
	resp, err := b.circuit.Execute(func() (*http.Response, error) {
		sent = true
		resp, err := b.next.RoundTrip(r)
		if err == nil && resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented {
			return resp, errServerFailed
		}
		return resp, err
	})
	if errors.Is(err, errServerFailed) {
		return resp, nil
	}
	if !sent && r.Body != nil {
		_ = r.Body.Close() // a transport owns the body, also when it fails
	}
	if err != nil {
		return nil, fmt.Errorf("call the peer: %w", err)
	}
	return resp, nil
}

// CloseIdleConnections lets http.Client reach the transport behind.
func (b *breaker) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func transport(t *tls.Config, connect time.Duration) *http.Transport {
	if connect <= 0 {
		connect = defaultConnect
	}
	return &http.Transport{
		TLSClientConfig:        t,
		ForceAttemptHTTP2:      true,
		DialContext:            (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout:    connect,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		MaxConnsPerHost:        connections,
		MaxResponseHeaderBytes: 32 << 10,
		DisableCompression:     true, // a small body may not grow without bound
	}
}
