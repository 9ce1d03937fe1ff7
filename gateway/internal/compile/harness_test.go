package compile

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
	"portcullis/services/problem"
)

// small is a policy with one of everything.
const small = `version: 1
hosts: [api.hotel.test]
issuers:
  - {name: hotel, url: "${env:ISSUER}", audience: https://api.hotel.test}
upstreams:
  - {name: backend, endpoints: ["${env:BACKEND}"], credential: {client: backend}, connect: 1s, breaker: {samples: 2, failures: 50%, window: 10s, open: 1m}}
limits:
  - {name: per-source, by: source, rate: 1000000/1s}
  - {name: few, by: principal, rate: 2/1h, burst: 2}
  - {name: many, by: principal, rate: 1000000/1s}
waf:
  - {name: api, paranoia: {blocking: 1, detection: 1}, threshold: {inbound: 5, outbound: 4}, inspect: {args: 255, depth: 20, body: 64KiB}}
defaults: {authenticate: [hotel], timeout: 3s}
upstream: backend
routes:
  - {name: counted, match: "GET /counted", allow: [{scopes: [read]}], limits: [few], waf: api}
  - {name: open, match: "GET /hotels/{hotel}", allow: [{scopes: [read]}], limits: [per-source, many], waf: {none: "measured without"}}
`

// programs keeps the proof of the profile that nearly all tests have; to compile it
// takes a second under the race detector.
var programs = sync.OnceValue(func() (p struct {
	*waf.Programs
	user *waf.Inspector // a program that nobody uses is given back
}) {
	p.Programs = waf.NewPrograms()
	var err error
	if p.user, err = waf.New(waf.Config{Profile: waf.Profile{Name: "api"}, Programs: p.Programs, Log: slog.New(slog.DiscardHandler)}); err != nil {
		panic(err)
	}
	return p
})

// fixture is a compiler between a real issuer and a real backend.
type fixture struct {
	t        testing.TB
	issuer   *tokentest.Issuer
	backend  *httptest.Server
	compiler *Compiler
	// feed is where the issuer's revocations come from, for policies that
	// follow them.
	feed *feed
	// noCredential makes every credential fail, noFeed every follower.
	noCredential, noFeed bool
	// failing, if set, runs before a credential fails.
	failing func()
}

func newFixture(t testing.TB, backend http.HandlerFunc) *fixture {
	t.Helper()
	f := &fixture{t: t, issuer: tokentest.New(t), backend: httptest.NewServer(backend)}
	t.Cleanup(f.backend.Close)
	limits, err := limit.NewEngine(limit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f.feed = newFeed(f.issuer)
	own := credential("own-token")
	f.issuer.Client("gateway", "secret", "backend", 0, "read", "write")
	exchanger, err := token.NewExchanger(token.ExchangerConfig{
		TokenURL: f.issuer.TokenURL(), ClientID: "gateway", Secret: func() (string, error) { return "secret", nil }, Audience: "backend", HTTP: f.issuer.HTTP(),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.compiler, err = New(Config{
		Limits: limits, Gate: waf.NewGate(0), Programs: programs().Programs, Meter: func(string) pipeline.Meter { return meter{} },
		IssuerHTTP: func(string) (*http.Client, error) { return f.issuer.HTTP(), nil },
		Credential: func(kind upstream.Kind, audience string) (upstream.Credential, error) {
			if f.noCredential {
				if f.failing != nil {
					f.failing()
				}
				return nil, errors.New("there is no secret")
			}
			if kind == upstream.Exchange {
				return exchanger, nil
			}
			return &own, nil
		},
		Follow: func(of Feed) (*token.Revocations, error) {
			if f.noFeed {
				return nil, errors.New("there is no token for its feed")
			}
			return f.feed.follow(of)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// in is the fixture for a subtest.
func (f *fixture) in(t testing.TB) *fixture {
	c := *f
	c.t = t
	return &c
}

// document loads a policy that must be valid.
func (f *fixture) document(files fs.FS) *policy.Document {
	f.t.Helper()
	doc, err := policy.Check(files, func(name string) (string, bool) {
		switch name {
		case "ISSUER", "PORTCULLIS_ISSUER":
			return f.issuer.URL, true
		case "BACKEND", "SEARCH_URL", "RESERVATIONS_URL":
			return f.backend.URL, true
		}
		return "", false
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return doc
}

// compile compiles small with edits: what to replace, and by what.
func (f *fixture) compile(prev *pipeline.Snapshot, edits ...string) *pipeline.Snapshot {
	f.t.Helper()
	s, err := f.compiler.Compile(f.document(written(f.t, edits...)), prev)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func written(t testing.TB, edits ...string) fs.FS {
	t.Helper()
	text := small
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("there is no %q to edit", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return fstest.MapFS{"policy.yaml": {Data: []byte(text)}}
}

// ask makes the transaction of one request by the holder of bearer.
func (f *fixture) ask(s *pipeline.Snapshot, path, bearer string) *pipeline.Transaction {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Accept", "application/json")
	r.Host = "api.hotel.test"
	tx := &pipeline.Transaction{
		Request: r, Start: time.Now(), ID: "0123456789abcdef0123456789abcdef", Snapshot: s, Host: r.Host, Path: path, Source: netip.MustParseAddr("192.0.2.7"),
	}
	if tx.Route, tx.Params = s.Match(r.Host, r.Method, path, nil); tx.Route == nil {
		f.t.Fatalf("no route for %s", path)
	}
	return tx
}

// decide runs the stages and gives the problem code of a refusal.
func (f *fixture) decide(s *pipeline.Snapshot, path, bearer string) string {
	f.t.Helper()
	tx := f.ask(s, path, bearer)
	defer tx.Done()
	d := pipeline.Decide(tx)
	if d.Problem == nil {
		return d.Kind.String()
	}
	return string(d.Problem.Code)
}

// forward sends a request on and gives the status that came back.
func (f *fixture) forward(s *pipeline.Snapshot, path string) int { return f.forwardAs(s, path, "") }

// forwardAs does so for the holder of bearer, whom no stage has asked.
func (f *fixture) forwardAs(s *pipeline.Snapshot, path, bearer string) int {
	f.t.Helper()
	tx := f.ask(s, path, bearer)
	tx.Bearer = bearer
	defer tx.Done()
	w := httptest.NewRecorder()
	if _, err := tx.Route.Forward.Forward(w, tx); err != nil {
		f.t.Logf("forwarding %s: %v", path, err)
		return 0
	}
	return w.Code
}

// code is a refusal's.
func code(err error) string {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return string(p.Code)
	}
	return ""
}

func (f *fixture) mint() string {
	return f.issuer.Mint(map[string]any{"sub": "g-7", "client_id": "web", "scope": "read"})
}
