package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
	"portcullis/certs"
)

// lone is a gateway before the suite's backend and issuer and nothing else, with
// policies of the test's own: files by name. It starts in a moment, and reloads in
// one.
func lone(t *testing.T, files map[string]string) *system {
	t.Helper()
	s := &system{t: t, dir: t.TempDir()}
	s.policies = filepath.Join(s.dir, "policies")
	var err error
	if s.authority, err = certs.Dev(filepath.Join(s.dir, "certs"), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.pool = pool(t, s.authority.CA())
	s.outside, s.backend = tokentest.New(t), newBackend(t)
	s.gatewayURL, s.opsURL = "https://"+free(t), "http://"+free(t)
	s.client = s.newClient()
	if err := os.Mkdir(s.policies, 0o700); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(s.dir, "outside.pem")
	if err := os.WriteFile(ca, certificate(t, s.outside.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"BACKEND=" + s.backend.URL, "ISSUER=" + s.outside.URL, "ISSUER_CA=" + ca, "GORACE=halt_on_error=0 atexit_sleep_ms=0"}
	gate := s.leaf("gateway")
	s.gatewayArgs = []string{
		"gateway", "serve", "--addr", host(s.gatewayURL), "--ops", host(s.opsURL), "--policies", s.policies, "--cert", gate.Cert, "--key", gate.Key, "--ca", gate.CA,
		"--drain-delay", "0s", "--control", s.control(), "--recent", strconv.Itoa(remembered),
	}
	for name, text := range files {
		s.write(name, text)
	}
	return s
}

// openly are the lines of a route that lets everybody through.
const openly = `authenticate: {none: the suite}, limits: {none: the suite}, waf: {none: the suite}, allow: [{anyone: true, reason: the suite}]`

// routes is a policy file of routes, each on a line: "name: match, more".
func routes(lines ...string) string {
	var b strings.Builder
	b.WriteString("version: 1\nroutes:\n")
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, ": ")
		b.WriteString("  - {name: " + name + ", match: " + rest + "}\n")
	}
	return b.String()
}

// reload has the gateway load its policies, by the command for it.
func (s *system) reload(args ...string) (out string, code int) {
	s.t.Helper()
	return s.program("gateway", append([]string{"reload", "--control", s.control()}, args...)...)
}

// reloads must be what came of the files as they stand.
func (s *system) reloads() {
	s.t.Helper()
	if out, code := s.reload(); code != 0 || !strings.HasPrefix(out, "ok: ") {
		s.t.Fatalf("gateway reload: exit code %d: %s", code, out)
	}
}
