package compile

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// ruled is a policy of one route with all that a rule may say.
const ruled = `version: 1
hosts: [api.hotel.test]
issuers:
  - {name: hotel, url: "${env:ISSUER}", audience: https://api.hotel.test, claims: {tenant: text, groups: texts, level: number, staff: truth}}
upstreams:
  - {name: backend, endpoints: ["${env:BACKEND}"], credential: {client: backend}}
limits:
  - {name: many, by: principal, rate: 1000000/1s}
defaults: {authenticate: [hotel], limits: [many]}
upstream: backend
routes:
  - name: guest
    match: GET /guests/{guest}
    waf: {none: measured without}
    log: [page]
    allow:
      - name: own
        scopes: [read]
        owner: guest
        methods: [GET]
        networks: [192.0.2.0/24]
        hours: [mon-fri 08:00-18:00 Europe/Helsinki]
        claims: {tenant: acme, groups: [staff, night], level: "5", staff: "true"}
      - when: "token.client == 'desk' && token.level > 6 && request.query['page'] == '1'"
    deny:
      - when: token.sub == 'banned'
      - {name: kiosk, clients: [kiosk], mode: shadow}
`

func ruledWith(t testing.TB, edits ...string) fstest.MapFS {
	t.Helper()
	text := ruled
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("there is no %q to edit", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return fstest.MapFS{"policy.yaml": {Data: []byte(text)}}
}

// person is the claims of who may do as rule own says.
func person(changes map[string]any) map[string]any {
	claims := map[string]any{
		"sub": "g-7", "client_id": "web", "scope": "read", "tenant": "acme", "groups": []string{"staff"}, "level": 5, "staff": true,
	}
	for name, value := range changes {
		claims[name] = value
	}
	return claims
}

func TestRulesOfAPolicyDecideOnRealTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	counted := counters{}
	f.compiler.config.Shadow = counted.shadow
	s, err := f.compiler.Compile(f.document(ruledWith(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	const noon, evening = "2026-11-25T10:00:00Z", "2026-11-25T17:00:00Z"
	for name, c := range map[string]struct {
		claims     map[string]any
		path, from string
		at         string
		want       string // the decision, its code and its rule
		shadow     string
	}{
		"all conditions hold":            {nil, "/guests/g-7", "192.0.2.7", noon, "allow  allow own (policy.yaml:17)", ""},
		"another guest":                  {map[string]any{"sub": "g-9"}, "/guests/g-7", "192.0.2.7", noon, "deny forbidden ", ""},
		"another network":                {nil, "/guests/g-7", "198.51.100.7", noon, "deny forbidden ", ""},
		"after hours":                    {nil, "/guests/g-7", "192.0.2.7", evening, "deny forbidden ", ""},
		"another tenant":                 {map[string]any{"tenant": "zeta"}, "/guests/g-7", "192.0.2.7", noon, "deny forbidden ", ""},
		"a claim of another type":        {map[string]any{"staff": "true"}, "/guests/g-7", "192.0.2.7", noon, "deny forbidden ", ""},
		"nothing but the scope missing":  {map[string]any{"scope": "write"}, "/guests/g-7", "192.0.2.7", noon, "deny insufficient_scope ", ""},
		"the condition of the second":    {map[string]any{"client_id": "desk", "level": 7}, "/guests/g-9?page=1", "198.51.100.7", evening, "allow  allow (policy.yaml:24)", ""},
		"a parameter that stands twice":  {map[string]any{"client_id": "desk", "level": 7}, "/guests/g-9?page=1&page=2", "198.51.100.7", evening, "deny forbidden ", ""},
		"deny beats allow":               {map[string]any{"sub": "banned"}, "/guests/banned", "192.0.2.7", noon, "deny forbidden deny (policy.yaml:26)", ""},
		"a rule in shadow denies nobody": {map[string]any{"client_id": "kiosk"}, "/guests/g-7", "192.0.2.7", noon, "allow  allow own (policy.yaml:17)", "authorize kiosk policy.yaml:27 deny"},
	} {
		t.Run(name, func(t *testing.T) {
			tx := f.asking(s, c.path, f.issuer.Mint(person(c.claims)))
			tx.Source = netip.MustParseAddr(c.from)
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			verified := pipeline.Decide(tx) // by the clock of the token
			tx.Start, tx.Rule, tx.Shadows = at, "", nil
			if verified.Stage == "authenticate" {
				t.Fatal(verified.Problem)
			}
			d := decideOnly(tx, "authorize")
			code := ""
			if d.Problem != nil {
				code = string(d.Problem.Code)
			}
			if got := fmt.Sprint(d.Kind, " ", code, " ", d.Rule); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			shadow := ""
			for _, s := range tx.Shadows {
				shadow += fmt.Sprint(s.Stage, " ", s.Rule, " ", s.Place, " ", s.Would)
			}
			if shadow != c.shadow {
				t.Errorf("shadow %q, want %q", shadow, c.shadow)
			}
		})
	}
	if got := counted["guest authorize kiosk deny"]; got == nil || *got == 0 {
		t.Errorf("nobody counted: %v", counted)
	}
}

// asking is ask for a path with a query.
func (f *fixture) asking(s *pipeline.Snapshot, target, bearer string) *pipeline.Transaction {
	path, query, _ := strings.Cut(target, "?")
	tx := f.ask(s, path, bearer)
	if err := tx.ReadQuery(query); err != nil {
		f.t.Fatal(err)
	}
	return tx
}

// decideOnly asks one stage of the route.
func decideOnly(tx *pipeline.Transaction, name string) pipeline.Decision {
	route := *tx.Route
	for _, stage := range tx.Route.Stages {
		if stage.Name() == name {
			route.Stages = []pipeline.Stage{stage}
		}
	}
	tx.Route = &route
	return pipeline.Decide(tx)
}

func TestEachConditionIsExplainedWhereItStands(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	s, err := f.compiler.Compile(f.document(ruledWith(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	tx := f.asking(s, "/guests/g-7?page=2", f.issuer.Mint(person(map[string]any{"sub": "g-9", "client_id": "desk"})))
	d := pipeline.Decide(tx)
	var got []string
	for _, stage := range pipeline.Explain(tx, d) {
		if stage.Text != "authorize" && stage.Text != "authenticate" {
			continue
		}
		for _, r := range stage.Under {
			got = append(got, fmt.Sprintf("%s %s (%s)", r.State, r.Text, r.Place))
			for _, c := range r.Under {
				if !strings.HasPrefix(c.Text, "now is") { // by the clock of the test
					got = append(got, fmt.Sprintf("  %s %s: %s (%s)", c.State, c.Text, c.Value, c.Place))
				}
			}
		}
	}
	want := []string{
		`holds a token of hotel (policy.yaml:9)`,
		`holds deny[0] (policy.yaml:26)`,
		`  fails token.sub == "banned": token.sub = "g-9" (policy.yaml:26:15)`,
		`holds deny kiosk (policy.yaml:27)`,
		`  fails client is kiosk: "desk" (policy.yaml:27)`,
		`fails allow own (policy.yaml:17)`,
		`  holds method is GET: "GET" (policy.yaml:20)`,
		`  fails subject is the guest of the path: subject "g-9", guest "g-7" (policy.yaml:19)`,
		`  holds source is in 192.0.2.0/24: 192.0.2.7 (policy.yaml:21)`,
		`  holds claim tenant is acme: "acme" (policy.yaml:23)`,
		`  holds claim groups has staff or night: "staff" (policy.yaml:23)`,
		`  holds claim level is 5: 5 (policy.yaml:23)`,
		`  holds claim staff is true: true (policy.yaml:23)`,
		`  holds scopes has read: "read" (policy.yaml:18)`,
		`fails allow[1] (policy.yaml:24)`,
		`  holds token.client == "desk": token.client = "desk" (policy.yaml:24:16)`,
		`  fails token.level > 6: token.level = 5 (policy.yaml:24:42)`,
		`  fails request.query["page"] == "1": request.query["page"] = "2" (policy.yaml:24:61)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInConditionsAreSaidWhereTheyStand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	for name, c := range map[string]struct {
		edits []string
		want  []string
	}{
		"a variable with a slip": {[]string{"token.level > 6", "token.levl > 6"}, []string{
			`policy.yaml:24:42: there is no variable "token.levl" [C006]`}},
		"a claim that no issuer declares": {[]string{", level: number", "", `, level: "5"`, ""}, []string{
			`policy.yaml:24:42: there is no variable "token.level" [C006]`}},
		"a parameter of another route": {[]string{"token.sub == 'banned'", "token.sub == params.user"}, []string{
			`policy.yaml:26:28: there is no variable "params.user" [C006]`}},
		"mistakes of two rules at once": {[]string{"token.level > 6", "token.level > '6'", "token.sub == 'banned'", "token.sub"}, []string{
			`policy.yaml:24:54: ">" does not take (int, string) [C006]`,
			`policy.yaml:26:15: a condition is true or false, and this is a string [C006]`}},
		"a cost without a bound": {[]string{"token.sub == 'banned'", "token.groups.exists(a, token.groups.exists(b, token.groups.exists(c, a == b + c)))"}, []string{
			`policy.yaml:26:15: the condition may cost `}},
		"a question nobody answers": {[]string{
			"waf: {none", "authenticate: {none: for the test}\n    limits: {none: for the test}\n    waf: {none",
			"        scopes: [read]\n        owner: guest\n", "", "        claims: {tenant: acme, groups: [staff, night], level: \"5\", staff: \"true\"}\n", "", "clients: [kiosk]", "methods: [GET]"}, []string{
			`policy.yaml:23:16: token.client asks who calls, and route "guest" does not authenticate [C006]`,
			`policy.yaml:25:15: token.sub asks who calls, and route "guest" does not authenticate [C006]`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := ruledWith(t, c.edits...)
			if name == "a question nobody answers" {
				files["policy.yaml"].Data = []byte(strings.Replace(string(files["policy.yaml"].Data), "credential: {client: backend}", "credential: {none: for the test}", 1))
			}
			s, err := f.compiler.Compile(f.in(t).document(files), nil)
			mistakes, _ := errors.AsType[policy.Mistakes](err)
			if s != nil || len(mistakes) != len(c.want) {
				t.Fatalf("got\n%v\nwant\n%s", err, strings.Join(c.want, "\n"))
			}
			for i, m := range mistakes {
				if !strings.HasPrefix(m.Error(), c.want[i]) || len(m.Source) == 0 {
					t.Errorf("%s\nwant %s", m.Error(), c.want[i])
				}
			}
		})
	}
}

func TestConditionsLiveAsLongAsTheirText(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	compile := func(prev *pipeline.Snapshot, edits ...string) *pipeline.Snapshot {
		s, err := f.compiler.Compile(f.document(ruledWith(t, edits...)), prev)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := compile(nil)
	for name, c := range map[string]struct {
		edits []string
		kept  int
	}{
		"an edit elsewhere":             {[]string{"mon-fri", "mon-sat"}, 2},
		"lines above":                   {[]string{"version: 1\n", "version: 1\n\n\n"}, 2},
		"another text":                  {[]string{"token.level > 6", "token.level > 7"}, 1},
		"another name of the parameter": {[]string{"{guest}", "{person}", "owner: guest", "owner: person"}, 0},
		"another type of a claim":       {[]string{"tenant: text", "tenant: texts"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			kept := 0
			for key, now := range compile(before, c.edits...).State.(*state).conditions {
				if before.State.(*state).conditions[key] == now {
					kept++
				}
			}
			if kept != c.kept {
				t.Errorf("%d of 2 conditions stay, want %d", kept, c.kept)
			}
		})
	}
}
