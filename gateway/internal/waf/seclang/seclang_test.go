package seclang

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/types"
)

const ruleSet = "Include @coraza.conf-recommended\nSecRuleEngine On\nInclude @crs-setup.conf.example\nInclude @owasp_crs/*.conf\n"

func parse(t testing.TB, files fs.FS, text string) *Policy {
	t.Helper()
	policy, err := Parse(files, text)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// TestTheRuleSetIsReadAsTheEngineReadsIt compares what the engine tells of
// every rule it loads.
func TestTheRuleSetIsReadAsTheEngineReadsIt(t *testing.T) {
	t.Parallel()
	type told struct {
		id, phase int
		file      string
		tags      []string
		operator  string
		severity  string
	}
	var engine []told
	config := experimental.WAFConfigWithRuleObserver(coraza.NewWAFConfig().WithRootFS(crs.FS).WithDirectives(ruleSet), func(rule types.RuleMetadata) {
		engine = append(engine, told{rule.ID(), int(rule.Phase()), rule.File(), rule.Tags(), rule.Operator(), ""})
	})
	if _, err := coraza.NewWAF(config); err != nil {
		t.Fatal(err)
	}
	rules := parse(t, crs.FS, ruleSet).Rules
	if len(rules) != len(engine) {
		t.Fatalf("%d rules, the engine has %d", len(rules), len(engine))
	}
	for n, r := range rules {
		tags := []string{}
		for _, a := range r.Actions {
			if a.Name == "tag" {
				tags = append(tags, a.Value)
			}
		}
		ours := told{r.ID, r.Phase, r.File, tags, engine[n].operator, ""}
		if !reflect.DeepEqual(ours, engine[n]) {
			t.Errorf("rule %d: read %+v, the engine has %+v", n, ours, engine[n])
		}
	}
	if r := rules[slices.IndexFunc(rules, func(r *Rule) bool { return r.ID == 920120 })]; r.File == "" || r.Line < 10 {
		t.Errorf("rule 920120 is said to be at %v", r.Place)
	}
}

func TestARuleIsReadInFull(t *testing.T) {
	t.Parallel()
	policy := parse(t, nil, `
# a comment within
SecDefaultAction "phase:1,nolog,auditlog,deny,status:406"
SecRule REQUEST_HEADERS:User-Agent|&ARGS|!ARGS:/^json\.\d+\/x$/|XML://@*|TX:'/a|b/' "!@contains a \"b\" \d" \
   # and here
   "id:7,phase:1,block,t:none,t:urlDecodeUni,t:lowercase,\
   msg:'it\'s, well, here',tag:'a:b',setvar:'tx.a=%{tx.b}',chain"
  SecRule ARGS "x" "t:none,setvar:tx.z=+1"
SecRuleEngine On
SecMarker "END"
SecAction id:8,nolog
`)
	want := &Policy{
		Rules: []*Rule{
			{
				Place: Place{Line: 4}, ID: 7, Phase: 1,
				Targets: []Target{
					{Variable: "REQUEST_HEADERS", Key: "User-Agent"}, {Variable: "ARGS", Count: true},
					{Variable: "ARGS", Key: `^json\.\d+\/x$`, Expression: true, Except: true}, {Variable: "XML", Key: "//@*"},
					{Variable: "TX", Key: "a|b", Expression: true},
				},
				Operator: &Operator{Name: "contains", Argument: `a "b" \d`, Negated: true},
				Actions: []Action{
					{"nolog", ""}, {"auditlog", ""}, {"status", "406"}, {"id", "7"}, {"phase", "1"}, {"t", "none"}, {"t", "urlDecodeUni"}, {"t", "lowercase"},
					{"msg", `it\'s, well, here`}, {"tag", "a:b"}, {"setvar", "tx.a=%{tx.b}"}, {"chain", ""}, {"deny", ""},
				},
				Transformations: []string{"urlDecodeUni", "lowercase"},
				Chain: &Rule{
					Place: Place{Line: 8}, Targets: []Target{{Variable: "ARGS"}}, Operator: &Operator{Name: "rx", Argument: "x"},
					Actions: []Action{{"log", ""}, {"auditlog", ""}, {"t", "none"}, {"setvar", "tx.z=+1"}, {"pass", ""}},
				},
			},
			{Place: Place{Line: 10}, Marker: "END"},
			{Place: Place{Line: 11}, ID: 8, Phase: 2, Actions: []Action{{"log", ""}, {"auditlog", ""}, {"id", "8"}, {"nolog", ""}, {"pass", ""}}},
		},
		Settings: []Setting{{Place{Line: 9}, "secruleengine", "On"}},
	}
	if !reflect.DeepEqual(policy, want) {
		for n, r := range policy.Rules {
			t.Errorf("rule %d: %+v", n, r)
		}
		t.Errorf("settings: %+v", policy.Settings)
	}
}

func TestChangesWorkOnTheRulesBeforeThem(t *testing.T) {
	t.Parallel()
	const three = "SecAction id:1,tag:a,msg:'m'\nSecAction id:2,tag:b\nSecRule ARGS x id:3\n"
	rules := func(text string) string {
		var all []string
		for _, r := range parse(t, nil, strings.ReplaceAll(text, "ARGS x id:3", `ARGS "x" "id:3,tag:a"`)).Rules {
			text := fmt.Sprint(r.ID)
			for _, target := range r.Targets {
				text += fmt.Sprintf(" %s:%s %v", target.Variable, target.Key, target.Except)
			}
			all = append(all, text)
		}
		return strings.Join(all, ", ")
	}
	for name, test := range map[string]struct{ text, want string }{
		"one by id":                         {three + "SecRuleRemoveById 2", "1, 3 ARGS: false"},
		"several and ranges":                {three + "SecRuleRemoveById 1 2-9", ""},
		"by tag":                            {three + "SecRuleRemoveByTag a", "2"},
		"by message":                        {three + "SecRuleRemoveByMsg \"m\"", "2, 3 ARGS: false"},
		"not what comes later":              {"SecRuleRemoveById 1\n" + three, "1, 2, 3 ARGS: false"},
		"a target stands at the right":      {three + `SecRuleUpdateTargetById 3 "!ARGS:q|TX:1"`, "1, 2, 3 ARGS: false ARGS:q true TX:1 false"},
		"the engine stops at a single id":   {three + `SecRuleUpdateTargetById 1 3 "!ARGS:q"`, "1 ARGS:q true, 2, 3 ARGS: false"},
		"a range goes on":                   {three + `SecRuleUpdateTargetById 1-2 2-3 "!ARGS:q"`, "1 ARGS:q true, 2 ARGS:q true ARGS:q true, 3 ARGS: false ARGS:q true"},
		"targets by tag, not by its prefix": {three + `SecRuleUpdateTargetByTag a "!ARGS:q"`, "1 ARGS:q true, 2, 3 ARGS: false ARGS:q true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rules(test.text); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestWhatIsNotUnderstoodIsRefused: the engine takes some of these, in its own
// way; nothing may be proved about such a policy.
func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"loop.conf": {Data: []byte("Include loop.conf")}, "long.conf": {Data: []byte("# " + strings.Repeat("x", longestLine))}}
	for name, text := range map[string]string{
		"no operator":                     `SecRule ARGS`,
		"an operator without quotes":      `SecRule ARGS x "id:1"`,
		"an open operator":                `SecRule ARGS "x\" "id:1"`,
		"an open selector":                `SecRule ARGS:/a "x" "id:1"`,
		"a slash within a key":            `SecRule ARGS:a/b "x" "id:1"`,
		"an empty key":                    `SecRule ARGS:|TX "x" "id:1"`,
		"an open quote in actions":        `SecRule ARGS "x" "id:1,msg:'x"`,
		"a chain that does not go on":     `SecRule ARGS "x" "id:1,chain"`,
		"a marker within a chain":         "SecRule ARGS \"x\" \"id:1,chain\"\nSecMarker X\nSecRule ARGS \"y\"",
		"a removal within a chain":        "SecRule ARGS \"x\" \"id:1,chain\"\nSecRuleRemoveById 7\nSecRule ARGS \"y\"",
		"an id twice":                     "SecAction id:1\nSecAction id:1",
		"an update of what is not there":  `SecRuleUpdateTargetById 5 "!ARGS:q"`,
		"a line that goes nowhere":        `SecRuleEngine On \`,
		"an open data set":                "SecDataset x `\na",
		"a file that includes itself":     "Include loop.conf",
		"a file that is not there":        "Include nobody.conf",
		"a line the engine stops at":      "Include long.conf",
		"a default without a phase":       `SecDefaultAction "deny"`,
		"a default with a transformation": `SecDefaultAction "phase:1,pass,t:none"`,
		"a phase that is none":            `SecAction "id:1,phase:9"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse(files, text); err == nil {
				t.Error("it is taken")
			} else if !strings.Contains(err.Error(), "line ") && !strings.Contains(err.Error(), ":1") {
				t.Errorf("no place is named: %v", err)
			}
		})
	}
}

func TestFilesAreFoundBesideTheFileThatIncludesThem(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"a/one.conf":     {Data: []byte("\nInclude b/two.conf\nSecAction id:3")},
		"a/b/two.conf":   {Data: []byte("Include three.conf\nSecAction id:2")},
		"a/b/three.conf": {Data: []byte("SecAction id:1")},
	}
	var got []string
	for _, r := range parse(t, files, "Include a/*.conf\nSecAction id:4").Rules {
		got = append(got, fmt.Sprint(r.ID, " ", r.Place))
	}
	if want := []string{"1 a/b/three.conf:1", "2 a/b/two.conf:2", "3 a/one.conf:3", "4 line 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("SecRule ARGS|!ARGS:/x/|&TX:1 \"!@rx \\\"\" \"id:1,phase:1,deny,msg:'a,b',chain\"\nSecRule ARGS:'/a/' \"x\"")
	f.Add("SecDefaultAction \"phase:2,block\"\nSecAction id:3 \\\n\nSecRuleUpdateTargetById 1-3 \"!ARGS\"\nSecDataset x `\na\n`\n")
	f.Fuzz(func(t *testing.T, text string) {
		policy, err := Parse(fstest.MapFS{}, text)
		if err != nil {
			return
		}
		for _, r := range policy.Rules {
			for _, link := range r.Links() {
				if link.Marker == "" && link.Operator != nil && len(link.Targets) == 0 {
					t.Errorf("a rule without a target in %q", text)
				}
			}
		}
	})
}
