package compile

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// desk is a policy of everything a route can say of its answers.
const desk = `version: 1
hosts: [api.hotel.test, desk.hotel.test]
redirect_http: 8443
defaults:
  cors: {origins: ["https://app.hotel.test"], headers: [Content-Type], expose: [Location], credentials: true, max_age: 5m}
  response: {set: {Referrer-Policy: no-referrer, X-Frame-Options: DENY}, remove: [X-Inner]}
floor:
  - paths: /old/*
    needs: [waf]
    except:
      - {route: old, needs: [waf], reason: r, owner: security, expires: 2027-06-30}
upstreams:
  - {name: backend, endpoints: ["${env:BACKEND}"], credential: {none: for tests}}
upstream: backend
routes:
  - name: notes
    hosts: [api.hotel.test]
    match: GET,PUT /api/notes/{note}
    request: {strip_prefix: /api, set: {x-tenant: hotel, Authorization: "Basic ${file:/run/secrets/key}"}, remove: [x-debug]}
    response: {set: {x-frame-options: SAMEORIGIN}}
    authenticate: {none: r}
    limits: {none: r}
    waf: {none: r}
    allow: [{anyone: true, reason: r}]
  - name: desk
    hosts: [desk.hotel.test]
    match: GET /api/notes/{note}
    request: {path: "/v2/{note}/desk"}
    cors: {origins: []}
    authenticate: {none: r}
    limits: {none: r}
    waf: {none: r}
    allow: [{anyone: true, reason: r}]
  - name: old
    match: GET /old/*
    redirect: {to: "https://www.hotel.test/new/*", status: 301}
    authenticate: {none: r}
    limits: {none: r}
    waf: {none: r}
    allow: [{anyone: true, reason: r}]
`

// asked is what a backend saw.
type asked struct {
	target string
	header http.Header
}

func seeing(saw *asked) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*saw = asked{r.RequestURI, r.Header.Clone()}
		w.Header().Set("X-Inner", "1")
		w.Header().Set("X-Frame-Options", "ALLOWALL")
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
}

func (f *fixture) compileText(text string, edits ...string) (*pipeline.Snapshot, error) {
	f.t.Helper()
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			f.t.Fatalf("there is no %q to edit", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return f.compiler.Compile(f.document(fstest.MapFS{"policy.yaml": {Data: []byte(text)}}), nil)
}

func TestRoutesSayWhatTheirAnswersHold(t *testing.T) {
	t.Parallel()
	var saw asked
	f := newFixture(t, seeing(&saw))
	f.compiler.config.Secret = func(path string) (string, error) { return "key of " + path + "\n", nil }
	s, err := f.compileText(desk)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		host, path, route, target string
		sent, answered            map[string]string
	}{
		"a prefix is stripped, fields are set": {"api.hotel.test", "/api/notes/n-1?q=1", "notes", "/notes/n-1?q=1",
			map[string]string{"X-Tenant": "hotel", "Authorization": "Basic key of /run/secrets/key", "X-Debug": ""},
			map[string]string{"Referrer-Policy": "no-referrer", "X-Frame-Options": "SAMEORIGIN", "X-Inner": "", "Access-Control-Allow-Origin": "https://app.hotel.test", "Vary": "Origin"}},
		"another host has another route; its CORS is switched off": {"desk.hotel.test", "/api/notes/n-1", "desk", "/v2/n-1/desk",
			map[string]string{"X-Tenant": "", "X-Debug": "1"},
			map[string]string{"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Inner": "", "Access-Control-Allow-Origin": "*", "Vary": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			tx := f.askOn(s, c.host, c.path)
			tx.Request.Header.Set("X-Debug", "1")
			tx.Request.Header.Set("Origin", "https://app.hotel.test")
			w := httptest.NewRecorder()
			if _, err := tx.Route.Forward.Forward(w, tx); err != nil || tx.Route.Name != c.route || saw.target != c.target {
				t.Errorf("%s asks for %q: %v", tx.Route.Name, saw.target, err)
			}
			for field, want := range c.sent {
				if got := saw.header.Get(field); got != want {
					t.Errorf("the upstream sees %s %q, want %q", field, got, want)
				}
			}
			for field, want := range c.answered {
				if got := strings.Join(w.Header()[field], "|"); got != want {
					t.Errorf("the answer has %s %q, want %q", field, got, want)
				}
			}
		})
	}
	old := f.askOn(s, "api.hotel.test", "/old/a/b")
	to, err := old.Route.Redirect.Location(old.Params, "q=1")
	if err != nil || to != "https://www.hotel.test/new/a/b?q=1" || old.Route.Redirect.Status != 301 || old.Route.Upstream != "" || old.Route.Forward != nil {
		t.Errorf("to %q, %v, by %+v", to, err, old.Route)
	}
	unrouted := http.Header{"X-Inner": {"1"}}
	(&pipeline.Transaction{Snapshot: s}).Complete(unrouted)
	if diff := cmp.Diff(http.Header{"Referrer-Policy": {"no-referrer"}, "X-Frame-Options": {"DENY"}}, unrouted); diff != "" || s.HTTPS != 8443 {
		t.Errorf("what no route took: %s; https at %d", diff, s.HTTPS)
	}
}

// askOn is the transaction of a request to a host.
func (f *fixture) askOn(s *pipeline.Snapshot, host, target string) *pipeline.Transaction {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	tx := &pipeline.Transaction{Request: r, Snapshot: s, Host: host, Path: r.URL.EscapedPath()}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		f.t.Fatal(err)
	}
	if tx.Route, tx.Params = s.Match(host, r.Method, tx.Path, nil); tx.Route == nil {
		f.t.Fatalf("no route for %s on %s", target, host)
	}
	return tx
}

// What a file holds goes to the upstream and nowhere else.
func TestSecretsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-5f2e"
	for name, c := range map[string]struct {
		secret func(string) (string, error)
		want   string
	}{
		"where none can be read":        {nil, "no secret can be read here"},
		"where the file is not there":   {func(string) (string, error) { return canary, errors.New("no such file") }, "no such file"},
		"an empty file":                 {func(string) (string, error) { return "\n", nil }, "is empty"},
		"two lines":                     {func(string) (string, error) { return canary + "\nX-Evil: 1", nil }, "more than one line"},
		"two lines of another system":   {func(string) (string, error) { return canary + "\r\nX-Evil: 1\r\n", nil }, "more than one line"},
		"a lone carriage return within": {func(string) (string, error) { return canary + "\rX-Evil: 1", nil }, "more than one line"},
		"a control character":           {func(string) (string, error) { return canary + "\x00", nil }, "a character"},
		"bytes that are no text":        {func(string) (string, error) { return canary + "\xff", nil }, "a character"},
		"more than a secret has":        {func(string) (string, error) { return strings.Repeat(canary, 1000), nil }, "more than 8192 bytes"},
		"too much for one field": {func(string) (string, error) { return canary + strings.Repeat("a", 8<<10-len(canary)), nil },
			"longer than 8192 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, fine)
			f.compiler.config.Secret = c.secret
			s, err := f.compileText(desk)
			mistakes, ok := errors.AsType[policy.Mistakes](err)
			if s != nil || !ok || len(mistakes) != 1 || mistakes[0].Code != CodeSecret || mistakes[0].Pos.Line != 19 || !strings.Contains(mistakes[0].What, c.want) {
				t.Errorf("want %q: %v", c.want, err)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// A rotated secret makes another snapshot of the same files; what stayed the same
// does not.
func TestARotatedSecretIsAnotherSnapshot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	secret := "first"
	f.compiler.config.Secret = func(string) (string, error) { return secret, nil }
	var all []*pipeline.Snapshot
	for _, secret = range []string{"first", "first", "second"} {
		s, err := f.compileText(desk)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if !all[0].Same(all[1]) || all[0].Same(all[2]) || all[0].Same(nil) || all[0].Version != all[2].Version {
		t.Error("snapshots are not told apart by their secrets")
	}
}

func TestExemptionsTellWhenTheyEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	f.compiler.config.Secret = func(string) (string, error) { return "a", nil }
	s, err := f.compileText(desk, "    needs: [waf]\n", "    needs: [waf, limits]\n", "expires: 2027-06-30}", "expires: 2027-06-30}\n      - {route: old, needs: [limits], reason: r, owner: security, expires: 2027-01-31}")
	if err != nil {
		t.Fatal(err)
	}
	current := &pipeline.Current{}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(NewExemptionCollector(current)); err != nil {
		t.Fatal(err)
	}
	const name = "portcullis_policy_exemption_expiry_timestamp_seconds"
	if n, err := testutil.GatherAndCount(registry, name); n != 0 || err != nil {
		t.Errorf("without a policy: %d series, %v", n, err)
	}
	current.Store(s)
	// Two exceptions of one name are one series, of the one that ends first.
	const want = `
# HELP portcullis_policy_exemption_expiry_timestamp_seconds When an exclusion or a patch of a WAF profile, or an exception to a floor, is to be thought over. It is in force before and after.
# TYPE portcullis_policy_exemption_expiry_timestamp_seconds gauge
portcullis_policy_exemption_expiry_timestamp_seconds{kind="floor",name="/old/* old"} 1.8014400e+09
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), name); err != nil {
		t.Error(err)
	}
	current.Store(f.compile(nil))
	if n, err := testutil.GatherAndCount(registry, name); n != 0 || err != nil {
		t.Errorf("a policy without exemptions leaves %d series, %v", n, err)
	}
	both := exemptions(&policy.Document{WAF: []*policy.WAFProfile{{Name: policy.Value[string]{V: "api"}, Exclusions: []*policy.Exclusion{
		{Rules: []policy.Value[int]{{V: 942100}, {V: 942110}}, Target: policy.Value[string]{V: "ARGS:json.note"}},
	}}}})
	if len(both) != 1 || both[0].kind != "exclusion" || both[0].name != "api 942100,942110 ARGS:json.note" {
		t.Errorf("%+v", both)
	}
}
