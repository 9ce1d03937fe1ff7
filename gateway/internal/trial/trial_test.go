package trial

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// small is a policy with a limit and a route, and another that is never asked.
const small = `version: 1
hosts: [localhost]
issuers:
  - {name: hotel, url: https://localhost:8444, audience: gateway, revocations: {stale: 5m, then: deny}}
upstreams:
  - {name: notes, endpoints: ["https://localhost:9101"], credential: {exchange: notes}, breaker: {samples: 2, failures: 1%, window: 10s, open: 1m}}
  - {name: other, endpoints: ["https://localhost:9102"], credential: {exchange: other}}
limits:
  - {name: few, by: principal, rate: 2/1h}
defaults: {authenticate: [hotel], limits: [few], timeout: 1s}
upstream: notes
routes:
  - name: read-note
    match: GET,POST /notes/{note}
    waf: {none: notes are read alone}
    allow:
      - {scopes: ["notes:read"]}
  - name: other
    match: GET /other
    upstream: other
    waf: {none: it is never asked}
    allow:
      - {name: other, scopes: ["other"]}
    deny:
      - {name: next, clients: [web], mode: shadow}
`

func written(tests string) fs.FS {
	return fstest.MapFS{"all.yaml": {Data: []byte(small)}, "tests.yaml": {Data: []byte("version: 1\ntests:\n" + tests)}}
}

// run runs tests against small and gives the names of those that fail.
func run(t *testing.T, tests string) (Report, []string) {
	t.Helper()
	doc := load(t, written(tests))
	gateway, err := New(Config{Document: doc})
	if err != nil {
		t.Fatal(err)
	}
	report := gateway.Run(t.Context(), doc.Tests, nil)
	var failed []string
	for _, r := range report.Results {
		if r.Failed() {
			failed = append(failed, r.Test.Name.V)
			t.Logf("%s: %v %v", r.Test.Name.V, r.Misses, r.Err)
		}
	}
	return report, failed
}

func TestEachTestBeginsAsIfNobodyHadAsked(t *testing.T) {
	t.Parallel()
	const reader = `as: {sub: n-1, scope: "notes:read"}`
	_, failed := run(t, `
  - {name: both, send: GET /notes/n-1, `+reader+`, times: 2, expect: {status: 200}}
  - {name: both once more, send: GET /notes/n-1, `+reader+`, times: 2, expect: {status: 200}}
  - {name: years later, send: GET /notes/n-1, `+reader+`, at: 2040-01-01T00:00:00Z, times: 2, expect: {status: 200}}
  - {name: years before, send: GET /notes/n-1, `+reader+`, at: 2020-01-01T00:00:00Z, times: 2, expect: {status: 200}}
  - {name: a broken upstream, send: GET /notes/n-1, `+reader+`, answer: {status: 500}, expect: {status: 500}}
  - {name: and a broken one, send: GET /notes/n-2, `+reader+`, answer: {status: 502}, expect: {status: 502}}
  - {name: opens no breaker, send: GET /notes/n-1, `+reader+`, expect: {status: 200}}
`)
	if failed != nil {
		t.Errorf("%q fail", failed)
	}
}

func TestEveryExpectationCanFail(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		"decision": "deny", "status": "201", "stage": "authorize", "route": "other", "rule": "other", "limit": "few", "code": "forbidden",
		"shadow": "[next]", "header": "{X-A: other}", "forwards": "{upstream: other}",
		"forwards-path": "{path: /other}", "forwards-header": "{header: {Authorization: other}}", "header-absent": `{X-A: ""}`,
		"forwards-absent": `{header: {Authorization: ""}}`,
	}
	var tests strings.Builder
	for name, value := range wrong {
		key, _, _ := strings.Cut(name, "-")
		tests.WriteString("  - {name: " + name + `, send: GET /notes/n-1, as: {scope: "notes:read"}, answer: {header: {X-A: a}}, expect: {` + key + ": " + value + "}}\n")
	}
	report, failed := run(t, tests.String())
	if len(failed) != len(wrong) {
		t.Errorf("only %q fail", failed)
	}
	for _, r := range report.Results {
		if len(r.Misses) != 1 || r.Misses[0].Pos.File != "tests.yaml" || r.Misses[0].Pos.Column < 80 || r.Explained == nil {
			t.Errorf("%s: %+v", r.Test.Name.V, r.Misses)
		}
	}
}

func TestATokenIsWhatTheTestSays(t *testing.T) {
	t.Parallel()
	_, failed := run(t, `
  - {name: an hour is too long, send: GET /notes/n-1, as: {scope: "notes:read", exp: 61m}, expect: {status: 401}}
  - {name: it is over, send: GET /notes/n-1, as: {scope: "notes:read", iat: -10m, exp: -5m}, expect: {status: 401}}
  - {name: not yet, send: GET /notes/n-1, as: {scope: "notes:read", nbf: 5m}, expect: {status: 401}}
  - {name: nobody's, send: GET /notes/n-1, as: {scope: "notes:read", sub: null}, expect: {status: 401}}
  - {name: of another, send: GET /notes/n-1, as: {scope: "notes:read", iss: "https://evil.example", aud: gateway}, expect: {status: 401}}
  - {name: with another algorithm, send: GET /notes/n-1, as: {scope: "notes:read", alg: RS256}, expect: {status: 200}}
  - {name: with one that is not taken, send: GET /notes/n-1, as: {scope: "notes:read", alg: ES384}, expect: {status: 401}}
  - {name: by its own field, send: GET /notes/n-1, header: {Authorization: Bearer a.b.c}, as: {scope: "notes:read"}, expect: {status: 401}}
  - {name: by many, send: GET /notes/n-1, as: {sub: "n-{n}", scope: "notes:read"}, times: 5, expect: {status: 200}}
`)
	if failed != nil {
		t.Errorf("%q fail", failed)
	}
}

func TestWhatIsLeftWhenTheTimeIsOverFails(t *testing.T) {
	t.Parallel()
	doc := load(t, written(`  - {name: one, send: GET /notes/n-1, expect: {status: 401}}`+"\n"+`  - {name: two, send: GET /notes/n-1, expect: {status: 401}}`+"\n"))
	gateway, err := New(Config{Document: doc})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	report := gateway.Run(ctx, doc.Tests, func(Result) { cancel() })
	if report.Results[0].Failed() || !errors.Is(report.Results[1].Err, errLate) {
		t.Errorf("%v", report.Results)
	}
}

func TestAReloadIsToldOfEachTestThatFails(t *testing.T) {
	t.Parallel()
	doc := load(t, written(`
  - name: passes
    send: GET /notes/n-1
    expect: {status: 401}
  - name: fails
    send: GET /notes/n-1
    expect:
      status: 200
`))
	err := Try(doc, nil)
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if !ok || len(mistakes) != 1 {
		t.Fatalf("error %v", err)
	}
	want := policy.Mistake{
		Code: CodeFailed, Pos: policy.Pos{File: "tests.yaml", Line: 10, Column: 15}, Width: 3, What: `test "fails": status: want 200, got 401`, Why: "got 401",
		Hint:   "401 deny at authenticate: route read-note, ✗ a token of hotel: An access token is required (all.yaml:10)",
		Source: []string{"      status: 200"},
	}
	if diff := cmp.Diff(want, mistakes[0]); diff != "" {
		t.Error(diff)
	}
	doc.Tests = doc.Tests[:1]
	if err := Try(doc, nil); err != nil {
		t.Error(err)
	}
}

// Names are clean when they come from files; what a run met need not be.
func TestJUnitIsXMLWhateverTheTestsAreCalled(t *testing.T) {
	t.Parallel()
	doc := load(t, written("  - {name: x, send: GET /notes/%00, expect: {status: 200}}\n"))
	doc.Tests[0].Name.V = "a ]]> b \x1b[31m \u009b31m \x01 <c> & \ufffe \xff"
	gateway, err := New(Config{Document: doc})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := gateway.Run(t.Context(), doc.Tests, nil).JUnit(&out, doc, "policies"); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(out.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
	}
	if strings.ContainsAny(out.String(), "\x00\x01\x1b\u009b\ufffe") {
		t.Errorf("%q holds a control character", out.String())
	}
}

func TestAnExplanationMovesNoCursorAndHoldsNoToken(t *testing.T) {
	t.Parallel()
	doc := load(t, written("  - {name: x, send: GET /, expect: {status: 404}}\n"))
	gateway, err := New(Config{Document: doc})
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDescribed("GET", "/notes/n-1?access=hunter2")
	if err != nil {
		t.Fatal(err)
	}
	d.Add("Cookie", "session=hunter2")
	d.Add("Authorization", "Bearer "+jwt(`{"alg":"ES256","typ":"at+jwt"}`, `{"iss":"https://localhost:8444","sub":"\u001b[31m","aud":"hunter2"}`))
	outcome, err := gateway.Explain(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, color := range []bool{false, true} {
		var out strings.Builder
		if err := Render(&out, *outcome.Explained, color); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "\x1b[31m\"") || strings.Contains(out.String(), d.Token.raw) || strings.Contains(out.String(), "session") {
			t.Errorf("it says\n%s", out.String())
		}
		if !color && strings.Contains(out.String(), "\x1b") {
			t.Errorf("without colour it says %q", out.String())
		}
	}
}

func TestMarksTellWhatBecameOfEachReason(t *testing.T) {
	t.Parallel()
	e := pipeline.Explained{Status: 403, Decision: "deny", Stage: "authorize", Code: "forbidden", Route: "notes", Tree: []pipeline.Reason{
		{Text: "edge", State: pipeline.Holds},
		{Text: "authorize", State: pipeline.Fails, Value: "forbidden", Under: []pipeline.Reason{
			{Text: "deny[0]", State: pipeline.Holds, Value: "does not match", Under: []pipeline.Reason{{Text: "client is kiosk", State: pipeline.Fails, Value: "web\x1b[2J", Mend: "client kiosk"}}},
			{Text: "allow next", State: pipeline.Fails, Shadow: true, Value: "does not match"},
			{Text: "allow[1]", State: pipeline.Broken, Place: "a.yaml:3", Under: []pipeline.Reason{{Text: "token.level > 1", State: pipeline.Broken, Value: "token.level is absent", Place: "a.yaml:3:9", Mend: "token.level > 1"}}},
		}},
		{Text: "inspect", State: pipeline.Unasked},
	}, Shadows: []pipeline.Shadow{{Stage: "authorize", Rule: "next", Place: "a.yaml:9", Would: pipeline.Allow}}}
	var out strings.Builder
	if err := Render(&out, e, false); err != nil {
		t.Fatal(err)
	}
	want := `403 deny at authorize: route notes, rule allow[1]: ! token.level > 1: token.level is absent (a.yaml:3:9)
  ✓ edge
  ✗ authorize: forbidden
    ✓ deny[0]: does not match
      ✗ client is kiosk: web�[2J
    ✗ allow next [shadow]: does not match
    ! allow[1] (a.yaml:3)
      ! token.level > 1: token.level is absent (a.yaml:3:9)
          would pass if: token.level > 1
  · inspect
  in shadow: authorize next would have decided allow (a.yaml:9)
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTheClockOfKeysNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.set(noon().Add(time.Hour))
	c.set(noon().Add(-time.Hour))
	if !c.now().Equal(noon().Add(-time.Hour)) || !c.latest().Equal(noon().Add(time.Hour)) {
		t.Errorf("now %s, latest %s", c.now(), c.latest())
	}
}

func TestEverythingIsCoveredOnlyWhenEverythingIs(t *testing.T) {
	t.Parallel()
	if c := (Coverage{Covered: 999, Total: 1000}); c.Percent() != 99 || c.Reaches(100) || !c.Reaches(99) {
		t.Errorf("%d%%", c.Percent())
	}
	if c := (Coverage{}); c.Percent() != 100 || !c.Reaches(100) {
		t.Errorf("nothing is covered to %d%%", c.Percent())
	}
}
