package compile

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

func fine(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func TestTheShippedPoliciesCompile(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	s, err := f.compiler.Compile(f.document(os.DirFS("../../../policies")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Routes) < 2 || s.WAFRules["json-api"] == 0 || !s.Hosts["localhost"] {
		t.Errorf("%d routes, rules %v, hosts %v", len(s.Routes), s.WAFRules, s.Hosts)
	}
	for _, r := range s.Routes {
		var stages []string
		for _, stage := range r.Stages {
			stages = append(stages, stage.Name())
		}
		want := []string{"capacity", "source-limit", "authenticate", "authorize", "principal-limit", "inspect"}
		if strings.HasPrefix(r.Name, "page-") || strings.HasPrefix(r.Name, "form-") { // for everybody
			want = []string{"capacity", "source-limit", "authorize", "inspect"}
		}
		if diff := cmp.Diff(want, stages); diff != "" {
			t.Errorf("%s: cheap before dear: %s", r.Name, diff)
		}
	}
}

func TestADocumentThatServesNothingIsAMistake(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	for name, c := range map[string]struct{ text, want string }{
		"without hosts":                 {strings.Replace(small, "hosts: [api.hotel.test]\n", "", 1), "no file names the hosts"},
		"without routes":                {small[:strings.Index(small, "upstream: backend\n")], "no file holds a route"},
		"with the token service's part": {"version: 1\nclients:\n  - {name: web, grants: [client_credentials], audiences: [{name: api, scopes: [read]}]}\n", "no file holds a route"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := f.compiler.Compile(f.in(t).document(fstest.MapFS{"policy.yaml": {Data: []byte(c.text)}}), nil)
			mistakes, ok := errors.AsType[policy.Mistakes](err)
			if s != nil || !ok {
				t.Fatalf("snapshot %v, error %v", s, err)
			}
			found := false
			for _, m := range mistakes {
				found = found || m.Code == CodeNothing && strings.Contains(m.What, c.want)
			}
			if !found {
				t.Errorf("no mistake says %q: %v", c.want, mistakes)
			}
		})
	}
}

// Else whoever has spent a quota would wait for the next edit of any file.
func TestAnEditResetsNoQuota(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before, bearer := f.compile(nil), f.mint()
	for i, want := range []string{"allow", "allow", "too_many_requests"} {
		if got := f.decide(before, "/counted", bearer); got != want {
			t.Fatalf("request %d: %s, want %s", i, got, want)
		}
	}
	after := f.compile(before, "timeout: 3s", "timeout: 4s")
	if got := f.decide(after, "/counted", bearer); got != "too_many_requests" {
		t.Errorf("after an edit elsewhere: %s", got)
	}
	if f.issuer.Fetches() != 1 {
		t.Errorf("the issuer's keys were fetched %d times", f.issuer.Fetches())
	}
}

func TestAnEditKeepsTheBreakerOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	before := f.compile(nil)
	for range 2 {
		if got := f.forward(before, "/counted"); got != http.StatusInternalServerError {
			t.Fatalf("status %d", got)
		}
	}
	opened := Upstreams(before)["backend"][0].Breaker
	if opened == Upstreams(f.compile(nil))["backend"][0].Breaker {
		t.Fatalf("two failures of two leave the breaker %s", opened)
	}
	for name, edits := range map[string][]string{
		"an edit elsewhere":          {"timeout: 3s", "timeout: 4s"},
		"another bound on its dials": {"connect: 1s", "connect: 2s"},
	} {
		if got := Upstreams(f.compile(before, edits...))["backend"][0].Breaker; got != opened {
			t.Errorf("%s turns the breaker from %s to %s", name, opened, got)
		}
	}
	if got := f.forward(before, "/counted"); got != 0 {
		t.Errorf("an open breaker let a request through: %d", got)
	}
}

// What is dear to make, or has learned something, stays while its own lines do.
func TestPartsLiveAsLongAsTheirDefinition(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before := f.compile(nil)
	for name, c := range map[string]struct {
		edits []string
		gone  string
	}{
		"nothing":              {nil, ""},
		"a route's timeout":    {[]string{"timeout: 3s", "timeout: 4s"}, ""},
		"a limit's rate":       {[]string{"rate: 2/1h", "rate: 3/1h"}, ""},
		"what it has revoked":  {[]string{"audience: https://api.hotel.test", "audience: https://api.hotel.test, revocations: {stale: 1m, then: deny}"}, "verifier"},
		"whose token it gets":  {[]string{"{client: backend}", "{exchange: backend}"}, "upstream"},
		"an issuer's audience": {[]string{"audience: https://api.hotel.test", "audience: other"}, "verifier"},
		"an upstream's dial":   {[]string{"connect: 1s", "connect: 2s"}, "upstream"},
		"a profile's bar":      {[]string{"inbound: 5", "inbound: 6"}, "inspector"},
		"a route's capacity":   {[]string{"timeout: 3s", "capacity: 7"}, "capacity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, now := before.State.(*state), f.in(t).compile(before, c.edits...).State.(*state)
			kept := map[string]bool{
				"verifier": now.verifier == old.verifier, "upstream": now.upstreams["backend"] == old.upstreams["backend"],
				"capacity": now.capacities["counted"] == old.capacities["counted"], "inspector": false,
			}
			for profile, inspector := range old.inspectors {
				kept["inspector"] = now.inspectors[profile] == inspector
			}
			for part, kept := range kept {
				if kept == (part == c.gone) {
					t.Errorf("%s kept: %v", part, kept)
				}
			}
		})
	}
}

func TestAFailedCompileLeavesThePolicyBeforeWorking(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before, bearer := f.compile(nil), f.mint()
	f.noCredential = true
	s, err := f.compiler.Compile(f.document(written(t, "inbound: 5", "inbound: 6", "connect: 1s", "connect: 2s")), before)
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if s != nil || !ok || mistakes[0].Code != CodeUpstream || mistakes[0].Pos.Line == 0 {
		t.Fatalf("snapshot %v, error %v", s, err)
	}
	if got := f.decide(before, "/counted", bearer); got != "allow" {
		t.Errorf("decides %s", got)
	}
	if got := f.forward(before, "/counted"); got != http.StatusOK {
		t.Errorf("forwards %d", got)
	}
}

func TestRetireAcceptsAnything(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	first := f.compile(nil)
	second := f.compile(first, "connect: 1s", "connect: 2s")
	f.compiler.Retire(nil, first)
	f.compiler.Retire(&pipeline.Snapshot{}, first)
	f.compiler.Retire(first, second)
	if got := f.forward(first, "/counted"); got != http.StatusOK {
		t.Errorf("a request still under the policy before gets %d", got)
	}
}
