package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// status reads /status of the gateway.
func (s *system) status(into any) {
	s.t.Helper()
	res, err := http.Get(s.opsURL + "/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := decode(res.Body, into); err != nil {
		s.t.Fatal(err)
	}
}

// policy is the part of /status that tells of reloads.
type policyStatus struct {
	Policy struct {
		Version, Why, Error string
		Tests               struct {
			Run           int
			Took, Skipped string
		}
	}
}

func (s *system) version() policyStatus {
	s.t.Helper()
	var p policyStatus
	s.status(&p)
	return p
}

// metric reads one sample of the gateway's metrics.
func (s *system) metric(name string) string {
	s.t.Helper()
	res, err := http.Get(s.opsURL + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if _, err := copyTo(&b, res.Body); err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// number is a metric of the gateway.
func (s *system) number(name string) float64 {
	s.t.Helper()
	n, err := strconv.ParseFloat(s.metric(name), 64)
	if err != nil {
		s.t.Fatalf("metric %s: %v", name, err)
	}
	return n
}

// TestReloadsHarmNoRequestAndResetNoLimit sends 2,000 requests by a client that
// never retries while the policy is replaced 50 times. None fails, and exactly
// as many are admitted as without reloads: the limit's burst.
func TestReloadsHarmNoRequestAndResetNoLimit(t *testing.T) {
	t.Parallel()
	s := edge(t)
	const requests, reloads, burst = 2000, 50, 1000
	still := s.flood("still", requests, nil)
	stop := make(chan struct{})
	var edits sync.WaitGroup
	edits.Go(func() {
		defer close(stop)
		file := filepath.Join(s.policies, "e2e.yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			return
		}
		for i := range reloads {
			before := s.version().Policy.Version
			s.write("e2e.yaml", fmt.Sprintf("%s# edit %d\n", data, i))
			s.gateway.signal(syscall.SIGHUP)
			until(t, fmt.Sprintf("edit %d is in force", i), 10*time.Second, func() bool { return s.version().Policy.Version != before })
		}
	})
	moved := s.flood("moved", requests, stop)
	edits.Wait()
	if still != burst || moved != burst {
		t.Errorf("admitted %d without reloads and %d across %d; want %d both times", still, moved, reloads, burst)
	}
}

// flood sends at least n requests as one client, and goes on until stop is
// closed; it returns how many were admitted. Anything but 200 and 429 fails.
func (s *system) flood(subject string, n int, stop <-chan struct{}) int {
	s.t.Helper()
	bearer := s.as(subject, "e2e")
	var mu sync.Mutex
	admitted := 0
	var senders sync.WaitGroup
	const clients = 4
	for range clients {
		client := s.newClient()
		senders.Go(func() {
			for i := 0; ; i++ {
				if i >= n/clients {
					select {
					case <-stop:
						return
					default:
						if stop == nil {
							return
						}
					}
				}
				a, err := s.try(client, "GET", "/thousand", bearer, "")
				if err != nil || a.status != 200 && a.status != 429 {
					s.t.Errorf("request %d failed: %d %s %v", i, a.status, a.body, err)
					return
				}
				if a.status == 200 {
					mu.Lock()
					admitted++
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	return admitted
}

func TestABrokenFileKeepsThePolicyAndSaysWhere(t *testing.T) {
	t.Parallel()
	s := edge(t)
	before := s.version()
	s.edit("routes/search.yaml", "scopes: [search:read]", "scoops: [search:read]")
	until(t, "the broken file was refused", 10*time.Second, func() bool { return s.version().Policy.Error != "" })
	after := s.version()
	if after.Policy.Version != before.Policy.Version || !strings.Contains(after.Policy.Error, "routes/search.yaml:") {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if got := s.metric("portcullis_policy_reload_success"); got != "0" {
		t.Errorf("the metric is %q, want 0", got)
	}
	if !strings.Contains(s.gateway.said(), `"place":"routes/search.yaml:`) {
		t.Errorf("the log names no place: %s", s.gateway.tail())
	}
	if a := s.send("GET", "/e2e/echo", s.as("g-7", "e2e"), ""); a.status != 200 {
		t.Errorf("the policy before is not in force: %d", a.status)
	}
	s.edit("routes/search.yaml", "scoops: [search:read]", "scopes: [search:read]")
	until(t, "the mended file is taken", 10*time.Second, func() bool { return s.version().Policy.Error == "" })
	if got := s.metric("portcullis_policy_reload_success"); got != "1" {
		t.Errorf("the metric is %q, want 1", got)
	}
}

func TestAnEditTakesEffectWithoutASignal(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	if a := s.send("GET", "/e2e/echo", bearer, ""); a.status != 200 {
		t.Fatalf("before: %d", a.status)
	}
	s.edit("e2e.yaml", `match: "GET /e2e/{what}", upstream: backend, timeout: 10s, allow: [{scopes: [e2e]}]`, `match: "GET /e2e/{what}", upstream: backend, timeout: 10s, allow: [{scopes: [other]}]`)
	until(t, "the edit is in force", 10*time.Second, func() bool { return s.send("GET", "/e2e/echo", bearer, "").status == 403 })
}
