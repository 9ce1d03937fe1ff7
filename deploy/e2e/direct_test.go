package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// peerClient shows the certificate of a service, as its neighbours do.
func (h *house) peerClient(t *testing.T, name string) *http.Client {
	t.Helper()
	files := h.leaf(name)
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// own is a token that a client gets for itself.
func (h *house) own(t *testing.T, client, audience string, scopes ...string) string {
	t.Helper()
	a := h.token(t, client, "grant_type", "client_credentials", "audience", audience, "scope", strings.Join(scopes, " "))
	g := a.granted()
	if a.status != http.StatusOK || g.Access == "" {
		t.Fatalf("%s gets no token for %s: %d %s", client, audience, a.status, a.body)
	}
	return g.Access
}

// token asks the token service for one, as a client does that has its secret.
func (h *house) token(t *testing.T, client string, pairs ...string) answer {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(h.dir, client+".secret"))
	if err != nil {
		t.Fatal(err)
	}
	return h.post("/token", form(append(pairs, "client_id", client, "client_secret", strings.TrimSpace(string(secret)))...))
}

// call asks a service itself, around the gateway; no body if empty.
func call(client *http.Client, method, address, bearer, body string, pairs ...string) (answer, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(res)
}

// read reads a response whole.
func read(res *http.Response) (answer, error) {
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}
