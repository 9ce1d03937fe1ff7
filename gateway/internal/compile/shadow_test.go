package compile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// counters are what a compiler is given to count by, by their labels.
type counters map[string]*counter

type counter int

func (c *counter) Inc() { *c++ }

func (c counters) shadow(route, stage, rule string, would pipeline.Kind) pipeline.Counter {
	labels := fmt.Sprint(route, " ", stage, " ", rule, " ", would)
	if c[labels] == nil {
		c[labels] = new(counter)
	}
	return c[labels]
}

// Edits of small that put its limit few and its profile api in shadow.
const (
	few       = "{name: few, by: principal"
	fewShadow = "{name: few, mode: shadow, by: principal"
	api       = "{name: api, paranoia"
	apiShadow = "{name: api, mode: shadow, paranoia"
)

func TestWhatIsInShadowIsBoundToItsCountersWhenThePolicyIsCompiled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	got := counters{}
	f.compiler.config.Shadow = got.shadow
	s := f.compile(nil, few, fewShadow, api, apiShadow)
	for range 4 {
		if decision := f.decide(s, "/counted", f.mint()); decision != "allow" {
			t.Fatalf("a limit in shadow: %s", decision)
		}
	}
	want := counters{"counted principal-limit few deny": new(counter), "counted inspect api deny": new(counter), "counted inspect api fault": new(counter)}
	*want["counted principal-limit few deny"] = 2
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Who tries a limit out must not begin anew when it is put in force.
func TestALimitKeepsItsCountsWhenItIsPutInForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	tried := f.compile(nil, few, fewShadow)
	token := f.mint()
	for range 2 {
		f.decide(tried, "/counted", token)
	}
	if got := f.decide(f.compile(tried), "/counted", token); got != "too_many_requests" {
		t.Errorf("it forgot: %s", got)
	}
}

// excluding is an edit of small: the end of its profile, with an exclusion whose
// requests that must pass are these.
func excluding(mustPass string) (before, after string) {
	before = "inspect: {args: 255, depth: 20, body: 64KiB}}\n"
	return before, strings.TrimSuffix(before, "}\n") + `, exclusions: [
    {rules: [942100], target: "ARGS:json.note", reason: guests quote, owner: security, expires: 2027-06-30,
      must_pass: [` + mustPass + `],
      must_block: ['{"note": "<script>alert(1)</script>"}']}]}
`
}

const quotes = `'{"note": "''good'' or ''great'' = fine"}'`

func TestAnExclusionLetsPassWhatItIsFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before, after := excluding(quotes)
	s := f.compile(nil, before, after)
	if s.WAFRules["api"] == 0 {
		t.Error("its rules are not counted")
	}
	for name, want := range map[string]pipeline.Kind{"json.note": pipeline.Allow, "note": pipeline.Deny} {
		tx := f.ask(s, "/counted", f.mint())
		if err := tx.ReadQuery(name + "=%27good%27+or+%27great%27+=+fine"); err != nil {
			t.Fatal(err)
		}
		if d := pipeline.Decide(tx); d.Kind != want {
			t.Errorf("%s: %+v", name, d)
		}
		tx.Done()
	}
}

func TestAnExclusionThatIsNotProvedIsAMistakeAtTheRequestThatDisprovesIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before, after := excluding(quotes + `, '{"note": "late"}'`)
	_, err := f.compiler.Compile(f.document(written(t, before, after, `limits: [per-source, many], waf: {none: "measured without"}`, "limits: [many], waf: api")), nil)
	want := []string{`policy.yaml:14:63 [C007] an exclusion of WAF profile "api" is not proved: this request passes without the exclusion of ARGS:json.note: no rule matches it`}
	if diff := cmp.Diff(want, told(t, err)); diff != "" {
		t.Errorf("once, though two routes have the profile: %s", diff)
	}
}

func TestAProfileThatStaysIsNeitherLoadedNorProvedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before, after := excluding(quotes)
	first := f.compile(nil, before, after)
	inspector := func(s *pipeline.Snapshot) (all string) {
		for _, i := range stateOf(s).inspectors {
			all += fmt.Sprintf("%p ", i)
		}
		return all
	}
	for name, c := range map[string]struct {
		edits []string
		same  bool
	}{
		"another reason and another place": {[]string{before, strings.Replace(after, "guests quote", "guests do quote", 1), "limits:\n", "\n\nlimits:\n"}, true},
		"another mode":                     {[]string{before, after, api, apiShadow}, true},
		"another proof":                    {[]string{before, strings.Replace(after, "alert(1)", "alert(2)", 1)}, false},
		"no exclusion":                     {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if same := inspector(f.in(t).compile(first, c.edits...)) == inspector(first); same != c.same {
				t.Errorf("the same rule set: %v", same)
			}
		})
	}
}

// told is what mistakes say, with their places.
func told(t *testing.T, err error) (all []string) {
	t.Helper()
	for _, m := range mistakesOf(t, err) {
		all = append(all, fmt.Sprintf("%s:%d:%d [%s] %s", m.Pos.File, m.Pos.Line, m.Pos.Column, m.Code, m.What))
	}
	return all
}

func mistakesOf(t *testing.T, err error) policy.Mistakes {
	t.Helper()
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if !ok {
		t.Fatalf("got %v, want mistakes", err)
	}
	return mistakes
}
