package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// edge starts only what stands before the suite's own backend.
func edge(t *testing.T) *system {
	t.Helper()
	s := prepare(t)
	s.startAuth()
	s.startGateway()
	return s
}

func TestADeadUpstreamIs503AndTheBreakerOpensAndRecovers(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	for i := range 30 {
		if a := s.send("GET", "/dead", bearer, ""); a.status != 503 || a.code() != "upstream_unavailable" || a.header.Get("Retry-After") == "" {
			t.Fatalf("request %d to nobody: %d %s, Retry-After %q", i, a.status, a.body, a.header.Get("Retry-After"))
		}
	}
	if state := s.breaker("dead"); state == "closed" {
		t.Errorf("after 30 failures the breaker is %s", state)
	}

	s.backend.failing.Store(true)
	opened := false
	var before, last time.Time // when the last two requests were sent
	for range 40 {
		before, last = last, time.Now()
		if a := s.send("GET", "/e2e/echo", bearer, ""); a.status == 503 && a.code() == "upstream_unavailable" {
			opened = true
			break
		}
	}
	if !opened {
		t.Fatal("40 failures in a row did not open the breaker")
	}
	// It has opened since then, and may try one request a second.
	served := s.backend.served.Load()
	for range 5 {
		s.send("GET", "/e2e/echo", bearer, "")
	}
	if through, open := s.backend.served.Load()-served, time.Since(before); through > int64(open/time.Second) {
		t.Errorf("a breaker that is open let %d of 5 requests through in %v", through, open)
	}
	s.backend.failing.Store(false)
	until(t, "the breaker lets requests through again", 10*time.Second, func() bool {
		return s.send("GET", "/e2e/echo", bearer, "").status == 200
	})
	until(t, "the breaker is closed", 10*time.Second, func() bool {
		s.send("GET", "/e2e/echo", bearer, "")
		return s.breaker("backend") == "closed"
	})
}

func TestASlowUpstreamIs504WithinTheRoutesTimeout(t *testing.T) {
	t.Parallel()
	s := edge(t)
	a := s.send("GET", "/hasty/slow", s.as("g-7", "e2e"), "")
	if a.status != 504 || a.code() != "upstream_timeout" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestClientsOpenNoBreaker: whatever clients break, the breaker counts it
// against nobody.
func TestClientsOpenNoBreaker(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	head := func(method, target string) string {
		return method + " " + target + " HTTP/1.1\r\nHost: " + host(s.gatewayURL) + "\r\nAuthorization: Bearer " + bearer + "\r\nContent-Type: application/json\r\n"
	}
	broken := map[string]string{
		"a chunk size that is no number": head("POST", "/e2e/echo") + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"a chunk cut short":              head("POST", "/e2e/echo") + "Transfer-Encoding: chunked\r\n\r\n64\r\nabc",
		"a body cut short":               head("POST", "/e2e/echo") + "Content-Length: 100\r\n\r\nabc",
		"a hang-up while waiting":        head("GET", "/hasty/slow") + "\r\n",
	}
	for name, request := range broken {
		for range 15 {
			conn, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "a chunk size") {
				line := make([]byte, len("HTTP/1.1 400"))
				if _, err := io.ReadFull(conn, line); err != nil || string(line) != "HTTP/1.1 400" {
					t.Errorf("%s: answered %q, %v", name, line, err)
				}
			}
			_ = conn.Close() // the hang-up is the attack
		}
		if state := s.breaker("backend"); state != "closed" {
			t.Errorf("after 15 times %s the breaker is %s", name, state)
		}
	}
	if a := s.send("GET", "/e2e/echo", bearer, ""); a.status != 200 {
		t.Errorf("an innocent request afterwards: %d %s", a.status, a.body)
	}
}

func TestAFloodIs429WithATrueRetryAfterAndRecovers(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	admitted := 0
	var refused answer
	for range 60 {
		a := s.send("GET", "/few", bearer, "")
		switch a.status {
		case 200:
			admitted++
			if a.header.Get("RateLimit") == "" || a.header.Get("RateLimit-Policy") == "" {
				t.Fatalf("no RateLimit fields on %v", a.header)
			}
		case 429:
			refused = a
		default:
			t.Fatalf("flood answered %d %s", a.status, a.body)
		}
		if refused.status != 0 {
			break
		}
	}
	if refused.status == 0 || refused.code() != "too_many_requests" || admitted < 5 {
		t.Fatalf("%d admitted, then %d %s", admitted, refused.status, refused.body)
	}
	if e := s.event(refused.header.Get("X-Request-Id"))["portcullis"].(map[string]any); str(e["stage"]) != "principal-limit" || str(e["rule"]) != "few" {
		t.Errorf("the event says %v", e)
	}
	var seconds int
	if _, err := fmt.Sscan(refused.header.Get("Retry-After"), &seconds); err != nil || seconds < 1 || seconds > 3 {
		t.Fatalf("Retry-After %q, want 1 to 3", refused.header.Get("Retry-After"))
	}
	// Another client is not held up.
	if a := s.send("GET", "/few", s.as("g-9", "e2e"), ""); a.status != 200 {
		t.Errorf("another client got %d", a.status)
	}
	<-time.After(time.Duration(seconds) * time.Second) // the promise is in real time
	if a := s.send("GET", "/few", bearer, ""); a.status != 200 {
		t.Errorf("after Retry-After: %d", a.status)
	}
}

// TestAFloodOfRequestsThatNoRouteTakesMeetsTheLimitBySource: what is refused
// before any stage still costs an event and a connection.
func TestAFloodOfRequestsThatNoRouteTakesMeetsTheLimitBySource(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.edit("limits.yaml", "by: source, rate: 100000/1s, burst: 100000", "by: source, rate: 1/1h, burst: 9")
	s.startAuth()
	s.startGateway()
	statuses := map[int]int{}
	for range 3 {
		for _, target := range []string{"/nothing", "/v1/x/..%2fhotels", "/open/not", "/v1/hotels;x"} {
			a := s.send("GET", target, "", "")
			statuses[a.status]++
			if a.status == 429 && (a.code() != "too_many_requests" || a.header.Get("Retry-After") == "") {
				t.Errorf("%s: %d %s", target, a.status, a.body)
			}
		}
	}
	if statuses[429] != 3 || statuses[404]+statuses[400] != 9 {
		t.Errorf("statuses %v, want 9 of 404 and 400, then 3 of 429", statuses)
	}
}

// breaker reads how the breaker of an upstream stands from /status.
func (s *system) breaker(upstream string) string {
	s.t.Helper()
	var status struct {
		Upstreams map[string][]struct {
			Breaker string `json:"breaker"`
		} `json:"upstreams"`
	}
	s.status(&status)
	if len(status.Upstreams[upstream]) != 1 {
		s.t.Fatalf("/status shows no upstream %q: %+v", upstream, status)
	}
	return status.Upstreams[upstream][0].Breaker
}
