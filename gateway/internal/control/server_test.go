package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/control"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/recent"
	"portcullis/gateway/internal/reload"
	"portcullis/policies/policy"
	"portcullis/services/problem"
)

// fixture is a control socket of a gateway without an edge.
type fixture struct {
	*control.Client
	t        *testing.T
	path     string // of the socket
	policies string
	current  *pipeline.Current
	ring     *recent.Ring
	// failing are the policy's own tests.
	failing error
}

// compiler makes snapshots of one route.
type compiler struct{}

func (compiler) Compile(doc *policy.Document, _ *pipeline.Snapshot) (*pipeline.Snapshot, error) {
	return &pipeline.Snapshot{Version: doc.Version, Routes: []*pipeline.Route{{Name: "hotel", Stages: []pipeline.Stage{stage{}}}}}, nil
}

// stage is one that explains itself.
type stage struct{}

func (stage) Name() string                       { return "authorize" }
func (stage) Decide(*pipeline.Transaction) error { return nil }
func (stage) Explain(tx *pipeline.Transaction, _ pipeline.Decision) []pipeline.Reason {
	return []pipeline.Reason{{Text: "the caller is of " + tx.Source.String(), State: pipeline.Fails}}
}

func newFixture(t *testing.T, remembered int) *fixture {
	t.Helper()
	f := &fixture{t: t, path: filepath.Join(folder(t), "control"), policies: t.TempDir(), current: &pipeline.Current{}}
	f.write("version: 1\nhosts: [localhost]\n")
	reloader, err := reload.New(reload.Config{
		Files: os.DirFS(f.policies), Env: os.LookupEnv, Compiler: compiler{}, Current: f.current, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Try: func(*policy.Document, *pipeline.Snapshot) error { return f.failing },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := reloader.Load("start"); err != nil {
		t.Fatal(err)
	}
	if remembered > 0 {
		if f.ring, err = recent.New(recent.Config{Size: remembered, Current: f.current}); err != nil {
			t.Fatal(err)
		}
	}
	server, err := control.Open(control.Config{Path: f.path, Reloader: reloader, Policies: f.policies, Recent: f.ring, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-served); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(f.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	f.Client = control.NewClient(f.path)
	return f
}

// folder is one whose name is short enough for a socket, whatever the test's.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (f *fixture) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.policies, "gateway.yaml"), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// raw sends what no client of ours would.
func (f *fixture) raw(method, target, body string) (int, string) {
	f.t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", f.path) }}}
	req, err := http.NewRequest(method, "http://gateway"+target, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// decide remembers a request; a refusal unless the status is 200.
func (f *fixture) decide(n, status int) (id string) {
	id = fmt.Sprintf("%032x", n)
	s := f.current.Load()
	tx := &pipeline.Transaction{
		ID: id, Request: httptest.NewRequest("GET", "/v1/hotels", nil), Start: time.Now(), Snapshot: s, Route: s.Routes[0], Path: "/v1/hotels", Source: netip.MustParseAddr("192.0.2.7"),
	}
	d := pipeline.Decision{Kind: pipeline.Allow}
	if status != 200 {
		d = pipeline.Decision{Kind: pipeline.Deny, Stage: "authorize", Rule: "deny (routes/search.yaml:12)", Problem: problem.New(problem.Forbidden, "")}
	}
	f.ring.Observe(tx, d, status)
	return id
}

func TestAReloadTellsWhatIsInForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	before := f.current.Load().Version
	f.write("version: 1\nhosts: [localhost, api.hotel.test]\n")
	done, err := f.Reload(t.Context(), "")
	if err != nil || done.Refused || done.Policy.Version == before || done.Policy.Version != f.current.Load().Version || done.Policy.Why != "control" {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestARefusedReloadTellsEveryMistakeWithItsPlace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	before := f.current.Load()
	f.write("version: 1\nhots: [localhost]\ndefaults: {timeout: 3}\n")
	done, err := f.Reload(t.Context(), "")
	if err != nil || !done.Refused || len(done.Mistakes) != 2 || done.Policies != f.policies || f.current.Load() != before || done.Policy.Version != before.Version {
		t.Fatalf("%+v, %v", done, err)
	}
	want, wantErr := policy.Check(os.DirFS(f.policies), os.LookupEnv)
	if want != nil || done.Mistakes.Error() != wantErr.Error() || len(done.Mistakes[0].Source) == 0 {
		t.Errorf("got %v, want what check finds: %v", done.Mistakes, wantErr)
	}
}

func TestTestsAreSkippedForAReasonAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 0)
	f.failing = errors.New("guests may search: expected allow, got deny")
	f.write("version: 1\nhosts: [localhost, api.hotel.test]\n")
	if done, err := f.Reload(t.Context(), ""); err != nil || !done.Refused || !strings.Contains(done.Error+done.Mistakes.Error(), "guests may search") {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err := f.Reload(t.Context(), "the upstream moved at night")
	if err != nil || done.Refused || done.Policy.Tests.Skipped != "the upstream moved at night" {
		t.Errorf("%+v, %v", done, err)
	}
	for _, reason := range []string{`""`, `"  "`, `"two\nlines"`, `"` + strings.Repeat("x", 300) + `"`} {
		if status, text := f.raw("POST", "/reload", `{"skip_tests": `+reason+`}`); status != 400 {
			t.Errorf("reason %s: %d %s", reason, status, text)
		}
	}
}

func TestDecisionsAreListedTheNewestFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 100)
	for n := range 50 {
		f.decide(n, []int{200, 403}[n%2])
	}
	list, err := f.Decisions(t.Context(), control.Wanted{})
	if err != nil || len(list) != 20 || list[0].ID != fmt.Sprintf("%032x", 49) || list[0].Status != 403 || list[0].Decision != "deny" || list[1].Decision != "allow" || list[0].Path != "/v1/hotels" {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err = f.Decisions(t.Context(), control.Wanted{Last: 3, Decision: "deny", Route: "hotel"}); err != nil || len(list) != 3 || list[2].ID != fmt.Sprintf("%032x", 45) {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err = f.Decisions(t.Context(), control.Wanted{Route: "other"}); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestADecisionIsExplainedByItsId(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 100)
	id := f.decide(7, 403)
	e, err := f.Explain(t.Context(), id)
	if err != nil || e.ID != id || e.Decision != "deny" || e.Stage != "authorize" || e.Rule != "deny (routes/search.yaml:12)" || e.Route != "hotel" || e.Status != 403 {
		t.Fatalf("%+v, %v", e, err)
	}
	if len(e.Tree) != 3 || len(e.Tree[1].Under) != 1 || e.Tree[1].Under[0].Text != "the caller is of 192.0.2.7" || e.Tree[1].Under[0].State != pipeline.Fails {
		t.Errorf("the tree is %+v", e.Tree)
	}
	for i := range 5 {
		f.write(fmt.Sprintf("version: 1\nhosts: [localhost, api%d.hotel.test]\n", i))
		if _, err := f.Reload(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		f.decide(100+i, 200)
	}
	if e, err := f.Explain(t.Context(), id); err != nil || e.Stage != "authorize" || len(e.Tree) != 0 || !strings.Contains(e.Note, "has been replaced") {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestWhatNobodyRemembersIsNotFound(t *testing.T) {
	t.Parallel()
	f, forgets := newFixture(t, 2), newFixture(t, 0)
	id := strings.Repeat("0", 32)
	for want, f := range map[string]*fixture{"too old": f, "--recent 0": forgets} {
		_, err := f.Explain(t.Context(), id)
		if no, ok := errors.AsType[*control.Refused](err); !ok || no.Status != 404 || !strings.Contains(no.Text, want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := forgets.Decisions(t.Context(), control.Wanted{}); err == nil || !strings.Contains(err.Error(), "--recent 0") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	before := f.current.Load()
	f.write("version: 1\nhosts: [localhost, api.hotel.test]\n")
	for _, c := range []struct {
		method, target, body string
		status               int
	}{
		{"GET", "/reload", "", 405},
		{"POST", "/reload", `{"skip_test": "x"}`, 400},
		{"POST", "/reload", `{"skip_tests": true}`, 400},
		{"POST", "/reload", `{} {}`, 400},
		{"POST", "/reload", `{"skip_tests": "` + strings.Repeat("x", 1<<20), 400},
		{"POST", "/decisions", "", 405},
		{"GET", "/decisions?last=0", "", 400},
		{"GET", "/decisions?last=1001", "", 400},
		{"GET", "/decisions?last=x", "", 400},
		{"GET", "/decisions?decision=maybe", "", 400},
		{"GET", "/decisions?last=1&last=2", "", 400},
		{"GET", "/decisions?stage=authorize", "", 400},
		{"GET", "/decisions?%zz", "", 400},
		{"GET", "/decisions/0123456789ABCDEF0123456789ABCDEF", "", 400},
		{"GET", "/decisions/7", "", 400},
		{"GET", "/", "", 404},
	} {
		if status, text := f.raw(c.method, c.target, c.body); status != c.status || !strings.Contains(text, `"error":"`) {
			t.Errorf("%s %s %.20s: %d %s, want %d", c.method, c.target, c.body, status, text, c.status)
		}
	}
	if f.current.Load() != before {
		t.Error("one of them reloaded")
	}
}
