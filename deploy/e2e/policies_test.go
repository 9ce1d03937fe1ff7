package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// own are the suite's policies beside the shipped ones: its issuer, its backend
// and routes to it. Breakers are quick, so that tests need not wait long.
const own = `version: 1
issuers:
  - {name: outside, url: ISSUER, audience: gateway, ca: CERT}
upstreams:
  - name: backend
    endpoints: [BACKEND]
    credential: {none: the suite's backend takes no token}
    connect: 5s
    breaker: {samples: 10, failures: 50%, window: 10s, open: 1s}
  - name: dead
    endpoints: [DEAD]
    credential: {none: nobody is there}
    connect: 5s
    breaker: {samples: 5, failures: 50%, window: 10s, open: 1s}
limits:
  - {name: thousand, by: client, rate: 1/1h, burst: 1000}
  - {name: few, by: client, rate: 1/3s, burst: 5}
routes:
  - {name: e2e-get, match: "GET /e2e/{what}", upstream: backend, timeout: 10s, allow: [{scopes: [e2e]}]}
  - {name: e2e-post, match: "POST /e2e/{what}", upstream: backend, timeout: 10s, allow: [{scopes: [e2e]}]}
  - {name: e2e-hasty, match: "GET /hasty/{what}", upstream: backend, timeout: 1s, allow: [{scopes: [e2e]}]}
  - {name: e2e-thousand, match: "GET /thousand", upstream: backend, timeout: 10s, limits: [thousand], allow: [{scopes: [e2e]}]}
  - {name: e2e-few, match: "GET /few", upstream: backend, timeout: 10s, limits: [few], allow: [{scopes: [e2e]}]}
  - {name: e2e-dead, match: "GET /dead", upstream: dead, timeout: 10s, allow: [{scopes: [e2e]}]}
  - {name: e2e-slow, match: "GET /slow/{what}", upstream: backend, timeout: 10s, allow: [{scopes: [e2e]}]}
  - name: e2e-open
    match: GET /open
    upstream: backend
    authenticate: {none: the suite counts forwarded requests here}
    waf: {none: the suite measures nothing else here}
    allow: [{anyone: true, reason: the suite counts forwarded requests here}]
`

// writePolicies copies the shipped policies and adds the suite's. Three things
// are changed: the shipped routes take the suite's issuer too, limits by source,
// which all tests share, are out of the way, and so is the floor of pages, for a
// route that counts what is forwarded. The shipped policies' own
// tests speak of what is shipped, and would refuse that.
func (s *system) writePolicies() {
	s.t.Helper()
	if err := os.CopyFS(s.policies, os.DirFS(filepath.Join("..", "..", "policies"))); err != nil {
		s.t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.policies, "tests")); err != nil {
		s.t.Fatal(err)
	}
	s.edit("waf.yaml", "waf:\n", "waf:\n") // written anew, see unproved
	s.edit("gateway.yaml", "authenticate: [hotel]", "authenticate: [hotel, outside]")
	s.edit("limits.yaml", "by: source, rate: 200/1s, burst: 400", "by: source, rate: 100000/1s, burst: 100000")
	s.edit("limits.yaml", "by: principal, rate: 100/1s, burst: 200", "by: principal, rate: 100000/1s, burst: 100000")
	s.edit("gateway.yaml", "  - {paths: /*, needs: [limits, waf]}\n", "")
	s.edit("limits.yaml", "name: pages, by: source, rate: 10/1s, burst: 60", "name: pages, by: source, rate: 100000/1s, burst: 100000")
	s.edit("limits.yaml", "name: forms, by: source, rate: 30/1m, burst: 20", "name: forms, by: source, rate: 100000/1s, burst: 100000")
	ca := filepath.Join(s.dir, "outside.pem")
	if err := os.WriteFile(ca, certificate(s.t, s.outside.URL), 0o600); err != nil {
		s.t.Fatal(err)
	}
	text := strings.NewReplacer("ISSUER", s.outside.URL, "CERT", ca, "BACKEND", s.backend.URL, "DEAD", "http://"+strings.Replace(free(s.t), "localhost", "127.0.0.1", 1)).Replace(own)
	s.write("e2e.yaml", text)
}

// write replaces a policy file in one step, as an editor or a config map does.
func (s *system) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.policies, name)
	if err := os.WriteFile(path+".tmp", []byte(unproved(text)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		s.t.Fatal(err)
	}
}

// edit replaces what must stand in a policy file.
func (s *system) edit(name, was, is string) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.policies, name))
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(data), was) {
		s.t.Fatalf("%s does not hold %q any more", name, was)
	}
	s.write(name, strings.Replace(string(data), was, is, 1))
}
