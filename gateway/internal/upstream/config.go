package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"
)

// Config is what an Upstream is made of.
type Config struct {
	// Name is the upstream's name in the policy.
	Name string
	// Endpoints are URLs of scheme, host and port only.
	Endpoints []string
	// Protocol is what endpoints are spoken to in; zero is HTTP/1.1.
	Protocol Protocol
	// Connect bounds a dial, and again a TLS handshake; 0 is one second.
	Connect time.Duration
	// Attempt bounds one try until the head of its answer; 0 leaves it to the
	// route's timeout.
	Attempt time.Duration
	Breaker BreakerConfig
	// TLS is for https endpoints: roots and the gateway's own certificate. Nil
	// trusts the system's roots.
	TLS *tls.Config
	// RoundTrip, if set, answers in place of the network.
	RoundTrip http.RoundTripper
	// Credential is nil when the gateway sends no token. One that is an
	// Exchanger is given the caller's.
	Credential Credential
	// Log hears of breakers that change.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics *Metrics
	// Previous is the upstream of the same name in the policy before; endpoints
	// that stay keep their breaker. It may be nil.
	Previous *Upstream
}

// BreakerConfig says when an endpoint is left alone. Zeros take the defaults.
type BreakerConfig struct {
	// Samples is how many answered tries within Window it takes; default 20.
	Samples int
	// Failures is the per cent of them that failed; default 50.
	Failures int
	// Window is how far back tries count; default 10s.
	Window time.Duration
	// Open is how long the endpoint is left alone; default 5s.
	Open time.Duration
}

const (
	defaultConnect = time.Second
	// maxEndpoints bounds what one request may have to look through.
	maxEndpoints = 64
)

func (c Config) withDefaults() Config {
	c.Connect = or(c.Connect, defaultConnect)
	c.Breaker.Samples = or(c.Breaker.Samples, 20)
	c.Breaker.Failures = or(c.Breaker.Failures, 50)
	c.Breaker.Window = or(c.Breaker.Window, 10*time.Second)
	c.Breaker.Open = or(c.Breaker.Open, 5*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// check reports every mistake at once.
func (c Config) check() error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("an upstream has no name"))
	}
	if len(c.Endpoints) == 0 || len(c.Endpoints) > maxEndpoints {
		errs = append(errs, fmt.Errorf("upstream %q has %d endpoints; give it 1 to %d", c.Name, len(c.Endpoints), maxEndpoints))
	}
	for i, raw := range c.Endpoints {
		u, err := parseEndpoint(raw)
		if err == nil {
			err = c.Protocol.check(u)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("upstream %q: endpoint %q %w", c.Name, raw, err))
		}
		if slices.Contains(c.Endpoints[:i], raw) {
			errs = append(errs, fmt.Errorf("upstream %q: endpoint %q stands there twice", c.Name, raw))
		}
	}
	if c.Connect < 0 || c.Attempt < 0 || c.Breaker.Window < 0 || c.Breaker.Open < 0 {
		errs = append(errs, fmt.Errorf("upstream %q: a duration is negative", c.Name))
	}
	if b := c.Breaker; b.Samples < 0 || b.Failures < 0 || b.Failures > 100 {
		errs = append(errs, fmt.Errorf("upstream %q: breaker samples must be positive and failures within 1%% to 100%%", c.Name))
	}
	return errors.Join(errs...)
}

// parseEndpoint takes a URL that says where, and nothing else.
func parseEndpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL; write https://host:port")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("is neither http nor https; write https://host:port")
	case u.Hostname() == "":
		return nil, errors.New("names no host; write https://host:port")
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return nil, errors.New("holds more than scheme, host and port; write https://host:port")
	}
	return u, nil
}

// same compares what decides how an upstream behaves.
func (c Config) same(d Config) bool {
	return c.Name == d.Name && slices.Equal(c.Endpoints, d.Endpoints) && c.Protocol == d.Protocol && c.Connect == d.Connect && c.Attempt == d.Attempt &&
		c.Breaker == d.Breaker && c.TLS == d.TLS && c.Metrics == d.Metrics && sameCredential(c.Credential, d.Credential)
}

func sameCredential(a, b Credential) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}
