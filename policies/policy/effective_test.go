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
		Authenticate: written("hotel"),
		Limits:       written("per-source", "per-principal"),
		WAF:          written("json-api"),
		Body:         Value[int64]{V: 64 << 10, Set: true},
		Timeout:      Value[time.Duration]{V: 3 * time.Second, Set: true},
		Capacity:     Value[int]{V: 1000},
		Upstream:     Value[string]{V: "search", Set: true},
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
			e.Body.V, e.Timeout.V, e.Capacity, e.WAF, e.Upstream.V = 1024, time.Minute, Value[int]{V: 7, Set: true}, written("strict"), "other"
		})},
		"lists add to the defaults, each name once": {"limits: [burst, per-source]\n    authenticate: [partner]", with(func(e *Effective) {
			e.Limits = written("per-source", "per-principal", "burst")
			e.Authenticate = written("hotel", "partner")
		})},
		"an opt-out leaves a stage empty and keeps its reason": {"limits: {none: few}\n    waf: {none: static}", with(func(e *Effective) {
			e.Limits, e.WAF = nil, nil
			e.OptOuts = []OptOut{{Stage: "limits", Reason: "few"}, {Stage: "waf", Reason: "static"}}
		})},
		"without a principal the limits that count one fall away": {"authenticate: {none: public}", with(func(e *Effective) {
			e.Authenticate, e.Limits = nil, written("per-source")
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
	if got.Body.V <= 0 || got.Timeout.V <= 0 {
		t.Errorf("body %d, timeout %s: a bound of nothing is no bound", got.Body.V, got.Timeout.V)
	}
}

func written(values ...string) []Value[string] {
	out := make([]Value[string], len(values))
	for i, v := range values {
		out[i] = Value[string]{V: v, Set: true}
	}
	return out
}
