package tune

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.yaml.in/yaml/v4"

	"portcullis/gateway/internal/hits"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// finding is of one client, and one rule at each target.
func finding(client string, score int, rule int, targets ...string) hits.Finding {
	f := hits.Finding{
		Time: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), Route: "notes", Profile: "api", Mode: "enforce", Verdict: pipeline.VerdictDenied,
		Score: score, Threshold: 5, Client: client,
	}
	for _, target := range targets {
		f.Hits = append(f.Hits, pipeline.Hit{Rule: rule, Message: "SQL", Denies: true, At: []pipeline.HitAt{{Target: target, Shape: "9' aa 9=9--", Bytes: 11}}})
	}
	return f
}

const notes = `
version: 1
hosts: [localhost]
upstreams:
  - {name: notes, endpoints: ["http://127.0.0.1:1"], credential: {none: public}}
upstream: notes
waf:
  - {name: api, proof: off}
routes:
  - name: notes
    match: GET /notes
    authenticate: {none: public}
    limits: {none: public}
    waf: api
    allow: [{anyone: true, reason: public}]
`

func tuner(t *testing.T, good string) *Tuner {
	t.Helper()
	doc, err := policy.Check(fstest.MapFS{"notes.yaml": {Data: []byte(notes)}}, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(t.Context(), Config{Document: doc})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.AddGood(t.Context(), "good.txt", strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAProposalTellsWhatItOpens(t *testing.T) {
	t.Parallel()
	made := tuner(t, "q=1%27+OR+1%3D1--\n")
	made.attacks = []Attack{{"942100-2", "-1839' or '1'='1"}, {"941110-1", "<script>alert(1)</script>"}, {"1-1", "no attack"}}
	for i := range 4 {
		made.Add(finding(fmt.Sprint(i), 5, 942100, "ARGS:q"))
	}
	report, err := made.Report(t.Context())
	if err != nil || len(report.Proposals) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	p := report.Proposals[0]
	if !slices.Equal(p.Exclusion.Rules, []int{942100}) || p.Exclusion.Target != "ARGS:q" || p.Clients != 4 || p.Requests != 4 || !slices.Equal(p.Good, []string{"good.txt:1"}) {
		t.Errorf("%+v", p)
	}
	if p.Same.Tried != 2 || !slices.Equal(p.Same.Opened, made.attacks[:1]) {
		t.Errorf("attacks at the target: %+v", p.Same)
	}
	if len(p.Others) != 1 || p.Others[0].Target != "ARGS:other" || p.Others[0].Tried != 2 || len(p.Others[0].Opened) != 0 {
		t.Errorf("attacks elsewhere: %+v", p.Others)
	}
	var out strings.Builder
	if err := report.Render(&out); err != nil || !strings.Contains(out.String(), `of 2 that were refused, 1 still are; these would pass: 942100-2 "-1839' or '1'='1"`) {
		t.Errorf("%v: %s", err, out.String())
	}
	made.clients = 5
	if fewer, err := made.Report(t.Context()); err != nil || len(fewer.Proposals) != 0 || !strings.Contains(fewer.Declined[0].Why, "nothing like an attack: 4, and 5 are needed") {
		t.Errorf("of four clients, where five are needed: %+v, %v", fewer, err)
	}
	// And what opens everything is no good.
	c := &candidate{Tuner: made, cluster: made.clusters.sorted()[0], p: p, before: attempt(t), with: attempt(t, waf.Exclusion{Rules: []int{942100}, Target: "ARGS:other"})}
	if why := c.attacked(); !strings.Contains(why, "would let attacks pass at ARGS:other too: 942100-2") {
		t.Errorf("an exclusion of another target: %q", why)
	}
}

func attempt(t *testing.T, exclusions ...waf.Exclusion) *waf.Attempt {
	t.Helper()
	a, err := waf.NewAttempt(waf.Profile{Name: "api"}, nil, exclusions)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestClientsThatSendAttacksCountForNothing(t *testing.T) {
	t.Parallel()
	c := newClusters()
	for i := range 5 {
		c.add(finding(fmt.Sprint("attacker ", i), 5, 942100, "ARGS:q"))
		c.add(finding(fmt.Sprint("attacker ", i), 15, 941100, "ARGS:other")) // seen later, counts all the same
	}
	c.add(finding("guest", 5, 942100, "ARGS:q"))
	one := c.all[place{"api", "notes", "ARGS:q"}]
	if byRule, together := c.ordinary(one); together != 1 || byRule[942100] != 1 {
		t.Errorf("%d clients, by rule %v", together, byRule)
	}
}

func TestWhatLooksLikeAnAttack(t *testing.T) {
	t.Parallel()
	several := finding("a", 5, 942100, "ARGS:q")
	for _, rule := range []int{941100, 932100} {
		several.Hits = append(several.Hits, pipeline.Hit{Rule: rule, Denies: true})
	}
	reported := finding("a", 5, 942100, "ARGS:q")
	for _, rule := range []int{941100, 932100} {
		reported.Hits = append(reported.Hits, pipeline.Hit{Rule: rule})
	}
	for name, c := range map[string]struct {
		f    hits.Finding
		want bool
	}{
		"one rule":                              {finding("a", 5, 942100, "ARGS:q"), false},
		"two rules":                             {finding("a", 10, 942100, "ARGS:q", "ARGS:r"), false},
		"a high score":                          {finding("a", 15, 942100, "ARGS:q"), true},
		"rules of several kinds":                {several, true},
		"rules that are only reported do not":   {reported, false},
		"a profile whose threshold is not told": {hits.Finding{Score: 100}, false},
	} {
		if got := looksLikeAttack(c.f); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatNoExclusionReachesIsSaid(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"REQUEST_HEADERS:User-Agent": "no exclusion reaches header fields and cookies",
		"REQUEST_COOKIES:theme":      "no exclusion reaches header fields and cookies",
		"REQUEST_BODY":               "no exclusion reaches REQUEST_BODY, which is no single argument",
		"ARGS":                       "no exclusion reaches the whole of ARGS",
		"ARGS:[redacted]":            "the name of the part is not told",
		"ARGS:[9' aa]":               "the name of the part is not told",
		"ARGS:a b":                   "names no part that an exclusion can have",
		"ARGS:json.note":             "",
		"ARGS_NAMES:select":          "",
	} {
		c := &cluster{place: place{target: target}, rules: map[int]*seen{942100: {}}}
		if got := inexpressible(c); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	if got := inexpressible(&cluster{place: place{target: "ARGS:q"}, rules: map[int]*seen{200002: {}}}); !strings.Contains(got, "does not look for attacks") {
		t.Errorf("a rule that cannot be excluded: %q", got)
	}
}

func TestEventsFillOnlySoMuchMemory(t *testing.T) {
	t.Parallel()
	c := newClusters()
	for i := range clustersMost + 10 {
		c.add(finding(fmt.Sprint(i), 5, 900000+i, "ARGS:q", fmt.Sprint("ARGS:q", i)))
	}
	one := c.all[place{"api", "notes", "ARGS:q"}]
	if len(c.all) != clustersMost || c.left != 11 || len(one.rules) != rulesMost {
		t.Errorf("%d clusters, %d left out, %d rules", len(c.all), c.left, len(one.rules))
	}
}

func TestAttacksOfTheCoreRuleSetAreRead(t *testing.T) {
	t.Parallel()
	all, err := attacks()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all, Attack{"942100-1", "1234 OR 1=1"}) {
		t.Errorf("the first test of rule 942100 is not among %d", len(all))
	}
	if some := sample(all, 300); len(some) != 300 || some[0] != all[0] {
		t.Errorf("a sample of 300 has %d", len(some))
	}
}

func TestATextHasOneValueAtItsTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, value, want string }{
		{"ARGS:q", "a b&c", "q=a+b%26c"},
		{"ARGS:json.note", `it's <b> \u003c`, `{"note":"it's <b> \\u003c"}`},
		{"ARGS:json.guest.name", "x", `{"guest":{"name":"x"}}`},
		{"ARGS:json.tags.1", "y", `{"tags":["x","y"]}`},
		{"ARGS:json.0.note", "y", `[{"note":"y"}]`},
		{"ARGS_NAMES:select", "anything", "select=1"},
		{"ARGS:json.a..b", "x", `{"a":{"":{"b":"x"}}}`},
		{"ARGS:json.tags.99999", "x", `{"tags":{"99999":"x"}}`},
	} {
		if got := textFor(c.target, c.value); got != c.want {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
	}
}

// What a client or a file says ends no comment and no text.
func TestAReportIsTheYAMLItSeems(t *testing.T) {
	t.Parallel()
	hostile := "x\n      - rules: [941100]\r\u2028\x1b[2J"
	r := &Report{
		Proposals: []*Proposal{{
			Profile: "api", Route: hostile, Shape: hostile, Messages: []string{hostile}, Good: []string{hostile}, Still: []string{hostile},
			Exclusion: waf.Exclusion{Rules: []int{942100}, Target: "ARGS:q", MustPass: []string{hostile}, MustBlock: []string{"'\"" + hostile}},
			Same:      Tried{Tried: 1, Opened: []Attack{{hostile, hostile}}}, Others: []Tried{{Target: hostile, Tried: 1}}, Routes: []string{hostile},
		}},
		Declined: []Declined{{hostile, hostile, hostile, "1", hostile}},
	}
	var out strings.Builder
	if err := r.Render(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		WAF []struct {
			Exclusions []struct {
				Rules     []int
				MustPass  []string `yaml:"must_pass"`
				MustBlock []string `yaml:"must_block"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if len(got.WAF) != 1 || len(got.WAF[0].Exclusions) != 1 || got.WAF[0].Exclusions[0].MustPass[0] != hostile || strings.ContainsAny(out.String(), "\x1b\u2028\r") {
		t.Errorf("%+v\n%s", got, out.String())
	}
}

func FuzzScalar(f *testing.F) {
	for _, seed := range []string{"", "a", "a: b", "- a", "'", "\"\\", "null", "no", "12", "1e3", "0x1f", "# a", "a #b", "\t", "é\u0085\ufeff", "a\x00b", "=", "~", "!a", "2026-01-01"} {
		f.Add(seed)
	}
	for range 20 {
		f.Add(string([]rune{rune(rand.IntN(0x3000)), rune(rand.IntN(128)), rune(rand.IntN(128))}))
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		var got []any
		if err := yaml.Unmarshal([]byte("- "+scalar(s)+"\n"), &got); err != nil || len(got) != 1 || got[0] != s {
			t.Errorf("%q is written as %s and read as %v, %v", s, scalar(s), got, err)
		}
	})
}

func TestAFileOfGoodRequestsIsReadStrictly(t *testing.T) {
	t.Parallel()
	made := tuner(t, "# a comment\n\n$ curl https://localhost/notes?q=1 \\\n  -H 'Accept: */*'\n{\"a\": 1}\nq=1\n")
	if len(made.good) != 3 || made.good[0].route != "notes" || made.good[0].name != "good.txt:3" || made.good[2].text != "q=1" {
		t.Errorf("%+v", made.good)
	}
	for text, want := range map[string]string{
		"q=1\na b\n":                            "good.txt:2: it is no request",
		"curl https://localhost/other":          "good.txt:1: no route takes GET /other",
		"\ncurl --upload-file x localhost":      "good.txt:2: curl's option",
		strings.Repeat("x", goodLineMost+1):     "good.txt:1: the line is longer",
		strings.Repeat("q=1\n", goodMost+1):     "more than 10000 requests",
		"curl https://localhost/notes?q=1 \\\n": "good.txt:1: the command ends with a backslash",
	} {
		err := made.AddGood(context.Background(), "good.txt", strings.NewReader(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// Three addresses and five thousand made-up names had the rules loaded five
// thousand times, which took minutes.
func TestMadeUpNamesHaveTheRulesLoadedOnce(t *testing.T) {
	t.Parallel()
	made := tuner(t, "")
	add := func(name string) {
		for client := range 3 {
			made.Add(finding(fmt.Sprint(client), 5, 942100, name))
		}
	}
	add("ARGS:q")
	if _, err := made.Report(t.Context()); err != nil {
		t.Fatal(err)
	}
	loaded := made.before["api"]
	add("ARGS:q1")
	report, err := made.Report(t.Context())
	if err != nil || len(report.Declined) != 2 || loaded == nil || made.before["api"] != loaded {
		t.Errorf("%d are declined, the rules are kept: %v, and used again: %v; %v", len(report.Declined), loaded != nil, made.before["api"] == loaded, err)
	}
}

func TestClientsAreToldApartInBoundedMemory(t *testing.T) {
	t.Parallel()
	c := newClusters()
	c.toldApart = toldApartMost - 2
	for i := range 5 {
		c.add(finding(fmt.Sprint(i), 5, 942100, "ARGS:q"))
		c.add(finding(fmt.Sprint(i), 5, 942100, "ARGS:q")) // is known, or had no room
	}
	one := c.all[place{"api", "notes", "ARGS:q"}]
	if got := len(one.rules[942100].clients); got != 2 || c.toldApart != toldApartMost || c.left != 6 {
		t.Errorf("%d clients, %d altogether, %d left out", got, c.toldApart, c.left)
	}
}
