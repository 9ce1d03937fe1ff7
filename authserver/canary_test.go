package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"portcullis/authserver/internal/clients"
)

// TestNoSecretLeavesARun starts the real program, hands it secrets in every
// right and wrong place, and looks for them in all it leaves behind.
func TestNoSecretLeavesARun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, policies := filepath.Join(dir, "data"), filepath.Join(dir, "policies")
	if err := os.Mkdir(policies, 0o700); err != nil {
		t.Fatal(err)
	}
	clientsFile := filepath.Join(policies, "clients.yaml")
	if err := os.WriteFile(clientsFile, []byte(`version: 1
clients:
  - {name: demo, grants: [client_credentials], audiences: [{name: gateway, scopes: [search:read]}]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	shown, err := exec.CommandContext(t.Context(), "authserver", "client", "secret", "demo", "--data", data, "--policies", policies).Output()
	if err != nil {
		t.Fatal(err)
	}
	live, wrong := strings.TrimSpace(string(shown)), clients.NewSecret("demo")

	files, err := devCerts(filepath.Join(dir, "certs"))
	if err != nil {
		t.Fatal(err)
	}
	ports, err := freePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	base, ops := "https://localhost:"+ports[0], "127.0.0.1:"+ports[1]
	var out, log bytes.Buffer
	server := exec.CommandContext(t.Context(), "authserver", "serve", "--addr", "localhost:"+ports[0], "--issuer", base,
		"--ops", ops, "--data", data, "--policies", policies, "--cert", files.Cert, "--key", files.Key)
	server.Stdout, server.Stderr = &out, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() }) // it has ended long before, unless the test failed
	if !until(func() bool { return isReady(ops) }) {
		t.Fatalf("the service is not ready: %s", &log)
	}

	c := stranger{client: trustingCA(t, files.CA), url: base + "/token"}
	grant := url.Values{"grant_type": {"client_credentials"}}
	token := c.token(t, form(grant, "client_id", "demo", "client_secret", live))
	c.ask(t, form(grant, "client_id", "demo", "client_secret", wrong))
	c.ask(t, form(grant, "client_id", live, "client_secret", live)) // in the wrong field
	c.ask(t, form(grant, "client_id", "demo", "client_secret", live, "scope", live))
	c.ask(t, form(grant, "client_id", "demo", "client_secret", live, "audience", live))
	c.ask(t, form(grant, "client_id", "demo", "client_secret", live, live, "x", live, "y"))
	c.ask(t, form(url.Values{}, "client_id", "demo", "client_secret", live, "grant_type", live))
	c.ask(t, form(grant, "client_id", live)+"%zz")
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.URL.RawQuery = "client_secret=" + live },
		func(r *http.Request) { r.SetBasicAuth("demo", wrong) },
		func(r *http.Request) { r.SetBasicAuth(live, "x") },
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		func(r *http.Request) { r.Header.Set("X-Request-ID", live) },
	} {
		r := c.request(t, grant.Encode())
		change(r)
		c.heard.WriteString(c.send(t, r))
	}
	// A broken reload, which quotes what it cannot read.
	if err := os.WriteFile(clientsFile, []byte("version: 1\nclints: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !until(func() bool { return showsMetric(ops, "authserver_policy_fresh 0") }) {
		t.Error("the broken file was not noticed")
	}
	metrics, _ := fetch("http://" + ops + "/metrics")
	left := map[string]string{"the metrics": metrics, "the client's answers": c.heard.String()}
	for _, f := range []string{"authserver.db", "authserver.db-wal"} { // before the end tidies them
		text, err := os.ReadFile(filepath.Join(data, f))
		if err != nil {
			t.Fatal(err)
		}
		left["the file "+f] = string(text)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the service did not end well: %v", err)
	}
	left["standard output"], left["standard error"] = out.String(), log.String()

	// What must be there, or the search below would prove nothing.
	for place, text := range map[string]string{
		"standard output": `"oauth.client_id":"demo"`, "standard error": "clients.yaml:2:1",
		"the metrics": `authserver_token_requests_total{outcome="invalid_client"}`, "the client's answers": "invalid_client",
		"the file authserver.db": clients.Digest(live),
	} {
		if !strings.Contains(left[place], text) {
			t.Errorf("%s does not hold %s", place, text)
		}
	}
	signature := token[strings.LastIndexByte(token, '.')+1:]
	for place, text := range left {
		for name, secret := range map[string]string{"a live secret": live, "a wrong secret": wrong, "a token": signature} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in %s", name, place)
			}
		}
	}
}

// stranger sends token requests and keeps what it is told, tokens aside.
type stranger struct {
	client *http.Client
	url    string
	heard  strings.Builder
}

func trustingCA(t *testing.T, ca string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// form adds pairs to values and encodes them; a name may come twice.
func form(values url.Values, pairs ...string) string {
	text := values.Encode()
	for i := 0; i < len(pairs); i += 2 {
		text += "&" + url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1])
	}
	return strings.TrimPrefix(text, "&")
}

func (s *stranger) request(t *testing.T, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func (s *stranger) send(t *testing.T, r *http.Request) string {
	t.Helper()
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ask sends what must be refused.
func (s *stranger) ask(t *testing.T, body string) {
	t.Helper()
	answer := s.send(t, s.request(t, body))
	if !strings.Contains(answer, `"error":`) {
		t.Error("a request that must be refused was not")
	}
	s.heard.WriteString(answer)
}

func (s *stranger) token(t *testing.T, body string) string {
	t.Helper()
	answer := s.send(t, s.request(t, body))
	var v struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &v); err != nil || v.Token == "" {
		t.Fatalf("no token: %v", err)
	}
	return v.Token
}
