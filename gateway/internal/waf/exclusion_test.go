package waf

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// quoted keeps the one rule that a guest's quotation marks set off from the
// member note.
func quoted() Exclusion {
	return Exclusion{
		Rules: []int{942100}, Target: "ARGS:json.note",
		MustPass:  []string{`{"note": "'good' or 'great' = fine"}`},
		MustBlock: []string{`{"name": "1' OR '1'='1' UNION SELECT password FROM users-- -"}`, `{"note": "<script>alert(1)</script>"}`},
	}
}

var excluding = sync.OnceValues(func() (*Inspector, error) {
	return New(Config{Profile: Profile{Name: "json-api", DetectionParanoia: 2}, Exclusions: []Exclusion{quoted()}, Log: slog.New(slog.DiscardHandler)})
})

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnExclusionReachesOneRuleAtOnePart(t *testing.T) {
	i, err := excluding()
	if err != nil {
		t.Fatal(err)
	}
	const text = "'good' or 'great' = fine"
	for name, tc := range map[string]struct {
		tx     *pipeline.Transaction
		passes bool
	}{
		"the member itself":                                 {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"note": text})), true},
		"the member beside others":                          {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"hotel": "h-1", "note": text})), true},
		"another member":                                    {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"name": text})), false},
		"a member of that name within another":              {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"a": map[string]any{"note": text}})), false},
		"a list in its place":                               {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"note": []string{text}})), false},
		"an object in its place":                            {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"note": map[string]any{"x": text}})), false},
		"a parameter of the plain name":                     {request("GET", "/?note=%27good%27%20or%20%27great%27%20%3D%20fine", "", ""), false},
		"another rule at the member":                        {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"note": "<script>alert(1)</script>"})), false},
		"the member once more, spelled otherwise (see doc)": {request("POST", "/", jsonMedia, jsonOf(t, map[string]any{"Note": text})), true},
		"a parameter of the engine's name (see doc)":        {request("GET", "/?json.note=%27good%27%20or%20%27great%27%20%3D%20fine", "", ""), true},
	} {
		t.Run(name, func(t *testing.T) {
			tx := tc.tx
			again := copied(t, tx)
			d := through(i, NewGate(0), tx)
			sameInEveryMode(t, i, tx, again, d)
			if got := d.Kind == pipeline.Allow; got != tc.passes {
				t.Errorf("passes is %v, want %v: %v, matches %+v", got, tc.passes, d.Problem, tx.WAF.Matches)
			}
		})
	}
}

func TestAProfileWithoutItsProofIsNotLoaded(t *testing.T) {
	unproved, unsafe := quoted(), quoted()
	unproved.MustPass = []string{`{"note": "late arrival"}`}
	unsafe.Target = "ARGS"
	for _, e := range []Exclusion{unproved, unsafe} {
		i, err := New(Config{Profile: Profile{Name: "json-api"}, Exclusions: []Exclusion{quoted(), e}, Log: slog.New(slog.DiscardHandler)})
		if u, ok := errors.AsType[*Unproved](err); i != nil || !ok || u.Exclusion != 1 {
			t.Errorf("%v, %v", i, err)
		}
	}
}

func TestAnExclusionThatIsNotProvedIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		edit                func(*Exclusion)
		what                string
		mustPass, mustBlock int
	}{
		"a request that would pass anyway":        {func(e *Exclusion) { e.MustPass = append(e.MustPass, `{"note": "late arrival"}`) }, "passes without the exclusion", 1, -1},
		"a target that no request has":            {func(e *Exclusion) { e.Target = "ARGS:json.notes" }, "no rule of the exclusion matches ARGS:json.notes in this request; those that match are 942100 at ARGS:json.note", 0, -1},
		"a rule that is not the one that matches": {func(e *Exclusion) { e.Rules = []int{942190} }, "those that match are 942100 at ARGS:json.note", 0, -1},
		"a rule that nobody needs":                {func(e *Exclusion) { e.Rules = append(e.Rules, 941100) }, "rule 941100 matches ARGS:json.note in none", -1, -1},
		"a request that is denied by another rule": {func(e *Exclusion) {
			e.MustPass = append(e.MustPass, `{"note": "'good' or 'great' = fine; cat /etc/passwd"}`)
		}, "denied with the exclusion too", 1, -1},
		"an attack that passes":                      {func(e *Exclusion) { e.MustBlock = []string{`{"note": "'good' or 'great' = fine"}`} }, "this request passes with a score of 0; rules that match:", -1, 0},
		"no proof at all":                            {func(e *Exclusion) { e.MustPass, e.MustBlock = nil, nil }, "needs a request that must pass", -1, -1},
		"a query with spaces":                        {func(e *Exclusion) { e.MustBlock = []string{"q=1 or 1"} }, "printable ASCII only", -1, 0},
		"a body that is no JSON":                     {func(e *Exclusion) { e.MustBlock = []string{"{"} }, "cannot be inspected", -1, 0},
		"a rule that adds up the score":              {func(e *Exclusion) { e.Rules = []int{949110} }, "rule 949110 does not look for attacks", -1, -1},
		"a whole collection":                         {func(e *Exclusion) { e.Target = "ARGS" }, "names no part", -1, -1},
		"a pattern of names":                         {func(e *Exclusion) { e.Target = "ARGS:/json/" }, "names no part", -1, -1},
		"a target that breaks out of its directive":  {func(e *Exclusion) { e.Target = "ARGS:x\"\nSecRuleEngine Off\n#" }, "names no part", -1, -1},
		"two targets in one":                         {func(e *Exclusion) { e.Target = "ARGS:x|ARGS" }, "names no part", -1, -1},
		"a part that is not of the request's making": {func(e *Exclusion) { e.Target = "TX:anomaly_score" }, "cannot be the target of an exclusion", -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := quoted()
			tc.edit(&e)
			bare := inspector(t)
			err := checkExclusions([]Exclusion{e})
			if err == nil { // as New does; loading without any is dear under the race detector
				with, broken := load(bare.profile, []Exclusion{e}, nil, bare.log)
				if broken != nil {
					t.Fatal(broken)
				}
				err = prove(bare, with)
			}
			u, ok := errors.AsType[*Unproved](err)
			if !ok || !strings.Contains(u.What, tc.what) || u.MustPass != tc.mustPass || u.MustBlock != tc.mustBlock {
				t.Errorf("got %+v, want %q at %d, %d", u, tc.what, tc.mustPass, tc.mustBlock)
			}
		})
	}
}

// TestAnExclusionIsToldOfInEveryFormat: whether the engine was asked or not.
func TestAnExclusionIsToldOfInEveryFormat(t *testing.T) {
	t.Parallel()
	sound, err := everyFormat()
	if err != nil {
		t.Fatal(err)
	}
	for media, body := range map[string]string{
		jsonMedia: `{"note":"late"}`, formMedia: "json.note=late", multipartMedia: multipartOf(`name="json.note"`, "late"),
	} {
		for _, mode := range []Proof{ProofOn, ProofOff} {
			i := as(sound, mode, sound.proving.prover)
			i.exclusions = []Exclusion{quoted()}
			tx := request("POST", "/", media, body)
			through(i, NewGate(0), tx)
			if !slices.Equal(tx.WAF.Excluded, []int{0}) || tx.WAF.Proof.Clean != (mode == ProofOn) {
				t.Errorf("%s with the proof %s: %+v", media, mode, tx.WAF)
			}
		}
	}
}
