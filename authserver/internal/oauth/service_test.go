package oauth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/internal/pages"
	"portcullis/authserver/internal/revocation"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

const policies = `version: 1
clients:
  - name: demo
    grants: [client_credentials]
    audiences:
      - {name: gateway, scopes: [search:read, reservations:read]}
  - name: gateway
    grants: [client_credentials, token_exchange]
    audiences:
      - {name: search, scopes: [search:read]}
      - {name: reservations, scopes: [reservations:read]}
      - {name: authserver, scopes: [revocations:read]}
  - name: reservations
    grants: [client_credentials, token_exchange]
    audiences:
      - {name: payments, scopes: [reservations:read]}
  - name: booking
    grants: [authorization_code, refresh_token]
    redirects: [https://app.test/callback]
    post_logout: [https://app.test/bye]
    audiences:
      - {name: gateway, scopes: [search:read, reservations:read]}
  - name: users
    grants: [client_credentials]
    audiences:
      - {name: authserver, scopes: [accounts:erase]}
      - {name: gateway, scopes: [accounts:erase]}
  - name: robot
    grants: [client_credentials]
    keys: [KEY]
    audiences:
      - {name: gateway, scopes: [search:read]}
  - name: native
    grants: [authorization_code, refresh_token]
    public: true
    redirects: ["http://127.0.0.1/callback"]
    audiences:
      - {name: gateway, scopes: [search:read]}
`

// service is the whole token service behind real TLS, but for its main and the
// pages for people.
type service struct {
	*httptest.Server
	db      *store.Store
	audit   *audit.Log
	feed    *revocation.Feed
	ring    *keyring.Ring
	people  *people
	log     *output
	dir     string
	secrets map[string]string
	// meanwhile, if set, runs while a token is made.
	meanwhile func()
	// alone is a service where nobody signs in.
	alone bool
	robot *token.ClientKey // of the client robot
}

// interrupted are tokens during whose making something else happens.
type interrupted struct {
	oauth.Tokens
	s *service
}

func (i interrupted) happen() {
	if i.s.meanwhile != nil {
		i.s.meanwhile()
	}
}

func (i interrupted) Exchange(ctx context.Context, req issue.ExchangeRequest) (issue.Token, error) {
	i.happen()
	return i.Tokens.Exchange(ctx, req)
}

func (i interrupted) ForSignIn(ctx context.Context, req issue.SignInRequest) (issue.Token, error) {
	i.happen()
	return i.Tokens.ForSignIn(ctx, req)
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

// people is somebody who is signed in, or nobody; the real pages have tests of
// their own.
type people struct {
	session pages.Session
	looks   int          // after so many looks somebody else ends the session; 0: never
	asked   atomic.Int64 // how often somebody was sent to sign in
	ended   atomic.Int64
}

func (p *people) Handler() http.Handler { return http.NotFoundHandler() }
func (p *people) Current(*http.Request) (pages.Session, bool) {
	defer func() {
		if p.looks--; p.looks == 0 {
			p.session = pages.Session{}
		}
	}()
	return p.session, p.session.Subject != ""
}

func (p *people) SignIn(w http.ResponseWriter, _ *http.Request, query string) {
	p.asked.Add(1)
	_, _ = io.WriteString(w, "sign in, then "+query)
}

func (p *people) SignOut(http.ResponseWriter, *http.Request) error {
	p.ended.Add(1)
	p.session = pages.Session{}
	return nil
}

func (p *people) SignedOut(w http.ResponseWriter, _ *http.Request, next string) {
	_, _ = io.WriteString(w, "signed out, then "+next)
}

func (p *people) ConfirmSignOut(w http.ResponseWriter, _ *http.Request, query string) {
	_, _ = io.WriteString(w, "sign out? then "+query)
}

func (p *people) Error(w http.ResponseWriter, _ *http.Request, status int, title, text, what string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, title+" "+text+" "+what)
}

func (p *people) Person(context.Context, string) (string, bool, error) {
	return "guest@hotel.test", true, nil
}

func start(t *testing.T, rate int) *service {
	t.Helper()
	s := &service{log: &output{}, people: &people{}, dir: t.TempDir(), secrets: map[string]string{}}
	var err error
	if s.db, err = store.Open(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	for _, name := range []string{"demo", "gateway", "reservations", "booking", "users"} {
		s.secrets[name] = clients.NewSecret(name)
		if err := s.db.AddSecret(t.Context(), name, clients.Digest(s.secrets[name]), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	s.Server = httptest.NewUnstartedServer(nil)
	issuer := "https://" + s.Listener.Addr().String()
	s.Config.Handler = s.server(t, issuer, rate).Handler()
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// server puts the real parts together.
func (s *service) server(t *testing.T, issuer string, rate int) *oauth.Server {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	s.robot, err = token.NewClientKey(key)
	must(err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(err)
	public, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	must(err)
	text := strings.Replace(policies, "KEY", string(public), 1)
	registry, err := clients.New(clients.Config{Policies: fstest.MapFS{"clients.yaml": {Data: []byte(text)}}, Store: s.db, Issuer: issuer})
	must(err)
	if s.ring == nil {
		s.ring, err = keyring.New(keyring.Config{Storage: s.db, Vault: keyring.Unkept()})
		must(err)
	}
	s.audit, err = audit.Open(audit.Config{Dir: filepath.Join(s.dir, "audit")})
	must(err)
	t.Cleanup(func() { _ = s.audit.Close() })
	local := token.NewLocalRevocations()
	s.feed, err = revocation.New(t.Context(), revocation.Config{Store: s.db, Local: local})
	must(err)
	tokens, err := issue.New(issue.Config{Issuer: issuer, Ring: s.ring, Revoked: local.Revoked})
	must(err)
	hints, err := issue.NewHints(issuer, s.ring)
	must(err)
	keys := func(context.Context) ([]byte, error) { return s.ring.JWKSJSON(), nil }
	verifier := func(cfg token.IssuerConfig) *token.Verifier {
		cfg.Name, cfg.URL, cfg.Keys, cfg.Revocations = oauth.OwnIssuer, issuer, keys, local
		own, err := token.NewIssuer(cfg)
		must(err)
		v, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{own}})
		must(err)
		return v
	}
	guard, err := token.NewGuard(token.GuardConfig{Verifier: verifier(token.IssuerConfig{Audience: token.FeedAudience})})
	must(err)
	var people oauth.People
	if !s.alone {
		people = s.people
	}
	server, err := oauth.New(oauth.Config{
		Issuer: issuer, Clients: registry, Tokens: interrupted{tokens, s}, Keys: s.ring, Signer: s.ring, Grants: s.db,
		Verifier: verifier(token.IssuerConfig{DangerouslyAnyAudience: true}), Hints: hints, People: people, Guard: guard, Accounts: s.db,
		Revocations: s.feed, Audit: s.audit, Rate: rate, Events: s.log, Log: log,
	})
	must(err)
	return server
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
	return s.form(t, "/token", body)
}

// form is a form sent to an endpoint.
func (s *service) form(t *testing.T, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
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
