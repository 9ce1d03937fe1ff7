//go:build nightly

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// figures are what a gateway costs at one moment.
type figures struct{ resident, heap, goroutines float64 }

func (f figures) String() string {
	return fmt.Sprintf("%.0f MiB resident, %.1f MiB heap in use, %.0f goroutines", f.resident/(1<<20), f.heap/(1<<20), f.goroutines)
}

// TestReloadsAThousandUnderLoad replaces the policy a thousand times, each time
// with its tests run first, and each time another route appears and one goes.
// Meanwhile no request fails and no socket is closed; at the end memory and
// goroutines are what they were after the first half: one policy kept of each
// ten in the second would be 100 MiB.
func TestReloadsAThousandUnderLoad(t *testing.T) {
	t.Parallel()
	const reloads, warm = 1000, 100
	const common = `version: 1
hosts: [localhost]
issuers:
  - {name: outside, url: "${env:ISSUER}", audience: gateway, ca: "${env:ISSUER_CA}"}
upstreams:
  - {name: backend, endpoints: ["${env:BACKEND}"], credential: {none: the suite}}
limits:
  - {name: plenty, by: source, rate: 1000000/1s}
  - {name: watched, by: principal, rate: 1/1h, burst: 1, mode: shadow}
waf:
  - {name: api, paranoia: {blocking: 1, detection: 1}, threshold: {inbound: 5, outbound: 4}, inspect: {args: 255, depth: 20, body: 64KiB}}
defaults: {authenticate: [outside], limits: [plenty, watched], waf: api, timeout: 10s}
tests:
  - {name: who may read reads, send: GET /kept, as: {scope: e2e}, expect: {status: 200, route: kept}}
  - {name: who may not does not, send: GET /kept, as: {scope: other}, expect: {status: 403, stage: authorize}}
  - {name: an attack is seen, send: "GET /kept?q=1%27%20OR%20%271%27=%271", as: {scope: e2e}, expect: {status: 403, stage: inspect}}
`
	kept := []string{
		"kept: GET /kept, upstream: backend, allow: [{scopes: [e2e]}]",
		"socket: \"GET /socket/{name}\", upstream: backend, websocket: true, " + openly,
	}
	policy := func(i int) string {
		return routes(append(kept[:2:2], fmt.Sprintf("coming-%d: GET /coming/%d, upstream: backend, allow: [{scopes: [e2e], when: \"token.sub != 'nobody-%d'\"}]", i, i, i))...)
	}
	s := lone(t, map[string]string{"gateway.yaml": common, "routes.yaml": policy(0)})
	s.env = append(s.env, "GOGC=100") // or garbage would be left to lie, up to a bound of its own
	s.startGateway()
	bearer := s.outside.Mint(map[string]any{"sub": "g-7", "client_id": "suite", "scope": "e2e", "aud": audience, "exp": time.Now().Add(time.Hour).Unix()})

	var over atomic.Bool
	var sent atomic.Int64
	var load sync.WaitGroup
	for range 3 {
		client := s.newClient()
		load.Go(func() {
			for !over.Load() {
				if a, err := s.try(client, "GET", "/kept", bearer, ""); err != nil || a.status != 200 {
					t.Errorf("a request failed: %d %s %v", a.status, a.body, err)
					return
				}
				sent.Add(1)
			}
		})
	}
	defer load.Wait()
	defer over.Store(true)
	var sockets []conversation
	for i := range 10 {
		c, err := s.socket(fmt.Sprintf("/socket/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, c)
	}

	began := time.Now()
	operator := s.operator()
	var middle figures
	for i := 1; i <= reloads; i++ {
		s.write("routes.yaml", policy(i))
		res, err := operator.Post("http://gateway/reload", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		_, err = copyTo(&said, res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("reload %d: %d %s %v", i, res.StatusCode, said.String(), err)
		}
		if a := s.send("GET", fmt.Sprintf("/coming/%d", i), bearer, ""); a.status != 200 {
			t.Fatalf("reload %d is not in force: %d %s", i, a.status, a.body)
		}
		if a := s.send("GET", fmt.Sprintf("/coming/%d", i-1), bearer, ""); a.status != 404 {
			t.Fatalf("reload %d: the route before still answers %d", i, a.status)
		}
		if i%50 == 0 {
			for _, c := range sockets {
				c.goes(t)
			}
		}
		if i == warm || i == reloads/2 {
			middle = s.figures()
			t.Logf("after %4d: %v", i, middle)
		}
	}
	took := time.Since(began)
	late := s.figures()
	t.Logf("after %4d: %v; %.0f s, %d requests meanwhile", reloads, late, took.Seconds(), sent.Load())
	const margin = 48 << 20
	if late.resident > middle.resident+margin || late.heap > middle.heap+margin/2 || late.goroutines > middle.goroutines+25 {
		t.Error("something grows with each reload")
	}
	if p := s.version().Policy; p.Error != "" || p.Tests.Run != 3 || p.Why != "control" {
		t.Errorf("/status says %+v", p)
	}
}

// figures are the least of a few readings: a collection may be due at any one.
func (s *system) figures() figures {
	least := figures{1e18, 1e18, 1e18}
	for range 10 {
		least.resident = min(least.resident, s.number("process_resident_memory_bytes"))
		least.heap = min(least.heap, s.number("go_memstats_heap_inuse_bytes"))
		least.goroutines = min(least.goroutines, s.number("go_goroutines"))
		<-time.After(100 * time.Millisecond) // the gateway collects meanwhile
	}
	return least
}
