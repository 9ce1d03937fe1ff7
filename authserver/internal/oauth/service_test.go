package oauth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/internal/store"
)

const policies = `version: 1
clients:
  - name: demo
    grants: [client_credentials]
    audiences:
      - {name: gateway, scopes: [search:read, reservations:read]}
  - name: gateway
    grants: [client_credentials]
    audiences:
      - {name: search, scopes: [search:read]}
      - {name: reservations, scopes: [reservations:read]}
`

// service is the whole token service behind real TLS, but for its main.
type service struct {
	*httptest.Server
	db      *store.Store
	log     *output
	secrets map[string]string
}

// output is a place to write for several goroutines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func start(t *testing.T, rate int) *service {
	t.Helper()
	s := &service{log: &output{}, secrets: map[string]string{}}
	var err error
	if s.db, err = store.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	for _, name := range []string{"demo", "gateway"} {
		s.secrets[name] = clients.NewSecret(name)
		if err := s.db.AddSecret(t.Context(), name, clients.Digest(s.secrets[name]), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	registry, err := clients.New(clients.Config{Policies: fstest.MapFS{"clients.yaml": {Data: []byte(policies)}}, Accounts: s.db})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(keyring.Config{Storage: s.db})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(nil)
	issuer := "https://" + s.Listener.Addr().String()
	tokens, err := issue.New(issue.Config{Issuer: issuer, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	server, err := oauth.New(oauth.Config{
		Issuer: issuer, Clients: registry, Tokens: tokens, Keys: ring, Rate: rate,
		Events: s.log, Log: slog.New(slog.NewJSONHandler(s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = server.Handler()
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) code(t *testing.T) string {
	t.Helper()
	var v struct{ Error string }
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	return v.Error
}

func (s *service) send(t *testing.T, r *http.Request) answer {
	t.Helper()
	return send(t, s.Client(), r)
}

func send(t *testing.T, client *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// ask is a token request; the pairs are parameters.
func (s *service) ask(t *testing.T, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/token", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func (s *service) post(t *testing.T, client string, more string) answer {
	t.Helper()
	return s.send(t, s.ask(t, "grant_type=client_credentials&client_id="+client+"&client_secret="+s.secrets[client]+more))
}
