package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
)

func status(code int) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", code)
}

func TestABreakerOpensAfterTwentyFailuresAndRecovers(t *testing.T) {
	var healthy atomic.Bool
	b := script(t, func(p *peer) {
		for p.next() != nil {
			if healthy.Load() {
				p.say(ok)
			} else {
				p.say(status(500))
			}
		}
	})
	registry := prometheus.NewRegistry()
	metrics, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	g := front(t, Config{Endpoints: urls(b), Breaker: BreakerConfig{Open: time.Second}, Metrics: metrics})
	for i := range 20 {
		want(t, fmt.Sprint("request ", i), g.do(t, "GET", "/x", nil).StatusCode, 500)
	}
	res := g.do(t, "GET", "/x", nil)
	want(t, "the next", res.StatusCode, 503)
	want(t, "retry after", res.Header.Get("Retry-After"), "1")
	want(t, "requests seen", b.hits.Load(), 20)
	want(t, "breaker", g.up.Status()[0].Breaker, "open")
	want(t, "failures counted", testutil.ToFloat64(metrics.attempts.WithLabelValues("rooms", b.addr, "failure")), 20)
	healthy.Store(true)
	for deadline := time.Now().Add(time.Minute); g.do(t, "GET", "/x", nil).StatusCode != 200; {
		if time.Now().After(deadline) {
			t.Fatal("the breaker does not recover")
		}
	}
	want(t, "breaker", g.up.Status()[0].Breaker, "closed")
	want(t, "state told", testutil.ToFloat64(metrics.breaker.WithLabelValues("rooms", b.addr)), 0)
}

func TestOnlyFailuresOfTheEndpointCount(t *testing.T) {
	for code, failed := range map[int]bool{200: false, 302: false, 400: false, 404: false, 429: false, 499: false, 500: true, 501: false, 502: true, 503: true, 504: true, 505: false} {
		if got := verdict(code) != nil; got != failed {
			t.Errorf("%d counts as a failure: %v", code, got)
		}
	}
}

func TestAProbeThatAClientSpoilsIsProbedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := New(Config{Name: "rooms", Endpoints: []string{"http://a:1"}})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			_, _, done := u.pick(0)
			done(errFailed)
		}
		if e, _, _ := u.pick(0); e != nil {
			t.Fatal("an open breaker lets requests pass")
		}
		time.Sleep(5*time.Second + 1)
		for range 3 {
			_, _, done := u.pick(0)
			if e, _, _ := u.pick(0); e != nil {
				t.Fatal("two probes at once")
			}
			done(errExcluded)
		}
		_, _, done := u.pick(0)
		done(errFailed)
		want(t, "after a failed probe", u.Status()[0].Breaker, "open")
		time.Sleep(5*time.Second + 1)
		_, _, done = u.pick(0)
		done(nil)
		want(t, "after a good probe", u.Status()[0].Breaker, "closed")
		synctest.Wait()
	})
}

func TestOldFailuresAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := New(Config{Name: "rooms", Endpoints: []string{"http://a:1"}})
		for range 3 {
			for range 19 {
				_, _, done := u.pick(0)
				done(errFailed)
			}
			time.Sleep(11 * time.Second)
		}
		want(t, "breaker", u.Status()[0].Breaker, "closed")
		want(t, "failures", u.Status()[0].Failures, 0)
	})
}

func TestEndpointsTakeTurnsAndBrokenOnesAreLeftOut(t *testing.T) {
	bad, good, fine := script(t, always(status(500))), script(t, always(ok)), script(t, always(ok))
	g := front(t, Config{Endpoints: urls(bad, good, fine), Breaker: BreakerConfig{Samples: 2}})
	for range 16 {
		g.do(t, "POST", "/x", strings.NewReader("b"))
	}
	want(t, "requests to the broken one", bad.hits.Load(), 2)
	if good.hits.Load() < 4 || fine.hits.Load() < 4 {
		t.Errorf("the others got %d and %d of 14", good.hits.Load(), fine.hits.Load())
	}
}

func TestBreakersOutliveAPolicy(t *testing.T) {
	c := Config{Name: "rooms", Endpoints: []string{"http://a:1", "http://b:1"}, Credential: fixed("t")}
	old, _ := New(c)
	for range 40 {
		_, _, done := old.pick(1)
		if done != nil {
			done(errFailed)
		}
	}
	want(t, "same", old.Same(c), true)
	next := c
	next.Endpoints, next.Previous = []string{"http://b:1", "http://c:1"}, old
	want(t, "same with other endpoints", old.Same(next), false)
	now, err := New(next)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "kept", now.Status()[0].Breaker, "open")
	want(t, "new", now.Status()[1].Breaker, "closed")
	for name, change := range map[string]func(*Config){
		"the connect bound": func(c *Config) { c.Connect = 2 * time.Second }, "the attempt bound": func(c *Config) { c.Attempt = time.Second },
		"the breaker": func(c *Config) { c.Breaker.Samples = 5 }, "the credential": func(c *Config) { c.Credential = fixed("u") },
		"no credential": func(c *Config) { c.Credential = nil }, "the certificates": func(c *Config) { c.TLS = &tls.Config{} },
	} {
		other := c
		change(&other)
		want(t, "same with another of "+name, old.Same(other), false)
	}
}

func TestTLSEndpointsAreVerified(t *testing.T) {
	backend := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(backend.Close)
	roots := x509.NewCertPool()
	roots.AddCert(backend.Certificate())
	trusting := front(t, Config{Endpoints: []string{backend.URL}, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	want(t, "echo", text(t, trusting.do(t, "POST", "/x", strings.NewReader("hello"))), "hello")
	backend.Config.ErrorLog = nil
	wary := front(t, Config{Endpoints: []string{backend.URL}, TLS: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}})
	want(t, "unknown authority", wary.do(t, "POST", "/x", strings.NewReader("hello")).StatusCode, 503)
}

func TestTheHotPathsAllocateLittle(t *testing.T) {
	u, _ := New(Config{Name: "rooms", Endpoints: []string{"http://a:1"}, Credential: fixed("t")})
	exchanging, _ := New(Config{Name: "rooms", Endpoints: []string{"http://a:1"}, Credential: exchanged("inner")})
	own, others := newExchange(), newExchange()
	own.upstream = u
	others.upstream, others.tx = exchanging, &pipeline.Transaction{Bearer: "edge"}
	header := http.Header{"Connection": {"keep-alive"}}
	traced := http.Header{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
	for name, c := range map[string]struct {
		most float64
		run  func()
	}{
		"the gateway's own":  {0, func() { _, _ = own.authorization() }},
		"a caller's token":   {1, func() { _, _ = others.authorization() }}, // the field's value
		"connection fields":  {0, func() { named(header) }},
		"a valid trace":      {0, func() { pipeline.TraceID(traced) }},
		"choice and breaker": {1, func() { _, _, done := u.pick(0); done(nil) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got > c.most {
			t.Errorf("%s: %v allocations, at most %v", name, got, c.most)
		}
	}
}
