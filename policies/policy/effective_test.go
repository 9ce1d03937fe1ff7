package policy

import (
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestWhatARouteInherits(t *testing.T) {
	t.Parallel()
	base, err := os.ReadFile("testdata/base.txt")
	must(t, err)
	inherited := Effective{
		Authenticate: []string{"hotel"},
		Limits:       []string{"per-source", "per-principal"},
		WAF:          "json-api",
		Body:         64 << 10,
		Timeout:      3 * time.Second,
		Capacity:     1000,
		Upstream:     "search",
	}
	with := func(change func(*Effective)) Effective {
		e := inherited
		change(&e)
		return e
	}
	cases := map[string]struct {
		keys string
		want Effective
	}{
		"a route without keys takes the defaults": {"", inherited},
		"single values replace the defaults": {"body: 1KiB\n    timeout: 1m\n    capacity: 7\n    waf: strict\n    upstream: other", with(func(e *Effective) {
			e.Body, e.Timeout, e.Capacity, e.WAF, e.Upstream = 1024, time.Minute, 7, "strict", "other"
		})},
		"lists add to the defaults, each name once": {"limits: [burst, per-source]\n    authenticate: [partner]", with(func(e *Effective) {
			e.Limits = []string{"per-source", "per-principal", "burst"}
			e.Authenticate = []string{"hotel", "partner"}
		})},
		"an opt-out leaves a stage empty and keeps its reason": {"limits: {none: few}\n    waf: {none: static}", with(func(e *Effective) {
			e.Limits, e.WAF = nil, ""
			e.OptOuts = []OptOut{{Stage: "limits", Reason: "few"}, {Stage: "waf", Reason: "static"}}
		})},
		"without a principal the limits that count one fall away": {"authenticate: {none: public}", with(func(e *Effective) {
			e.Authenticate, e.Limits = nil, []string{"per-source"}
			e.OptOuts = []OptOut{{Stage: "authenticate", Reason: "public"}}
		})},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := Load(fstest.MapFS{
				"base.yaml": {Data: base},
				"a.yaml":    file("version: 1\nupstream: search\nroutes:\n  - name: x\n    match: GET /x\n    " + c.keys + "\n"),
			}, noEnvironment)
			must(t, err)
			got := doc.Effective(doc.Routes[0])
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreTypes(Pos{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWithoutDefaultsTheBoundsStillHold(t *testing.T) {
	t.Parallel()
	got := (&Document{}).Effective(&Route{})
	if got.Body <= 0 || got.Timeout <= 0 {
		t.Errorf("body %d, timeout %s: a bound of nothing is no bound", got.Body, got.Timeout)
	}
}
