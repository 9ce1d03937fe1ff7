package policy

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// evilReport has what a policy file could put into a report to be more than text.
func evilReport() Report {
	evil := "\x1b[31m\u202e\n::error::forged\r%0A\x00"
	return Report{Tool: "v1", Explanations: Explanations(), Mistakes: Mistakes{
		{Code: CodeUnknownKey, Pos: Pos{"routes/a b.yaml", 3, 7}, Width: 4, What: "unknown key", Why: "did you mean?", Hint: "write it"},
		{Code: CodeForm, Pos: Pos{evil + ":,.yaml", 1, 1}, Width: 0, What: evil, Why: evil, Hint: evil, Source: []string{"secret source"}},
		{Code: CodeFile, Pos: Pos{File: "a.yaml"}, What: "it cannot be read"},
		{Code: CodeOther, What: "something else"},
		{Severity: Warning, Code: CodeExpired, Pos: Pos{"a.yaml", 2, 1}, Width: 1, What: "it has ended"},
		{Severity: Note, Code: "X001", Pos: Pos{"a.yaml", 2, 1}, Width: 1, What: "it is new"},
	}}
}

func TestReportsHoldNothingButWhatWeSay(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(Report, io.Writer) error{"json": Report.JSON, "sarif": Report.SARIF, "github": Report.GitHub} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			must(t, write(evilReport(), &out))
			if text := out.String(); strings.ContainsAny(text, "\x1b\u202e\r\x00") || strings.Contains(text, `\u001b`) || strings.Contains(text, "secret source") {
				t.Errorf("a file reaches through: %q", text)
			}
			for line := range strings.Lines(out.String()) {
				if strings.HasPrefix(line, "::error::forged") {
					t.Errorf("a file forges a command: %q", line)
				}
			}
		})
	}
}

func TestAPrivateKeyIsInNoReport(t *testing.T) {
	t.Parallel()
	const secret = "bm90IGEga2V5LCBhbmQgbmV2ZXIgd2FzIG9uZQ"
	text := "version: 1\nclients:\n  - -----BEGIN EC PRIVATE KEY-----\n    " + secret + "\n    -----END EC PRIVATE KEY-----\n"
	_, err := Check(fstest.MapFS{"a.yaml": file(text)}, noEnvironment)
	mistakes, ok := errors.AsType[Mistakes](err)
	if !ok {
		t.Fatal(err)
	}
	for _, write := range []func(Report, io.Writer) error{Report.JSON, Report.SARIF, Report.GitHub} {
		var out strings.Builder
		must(t, write(Report{Mistakes: mistakes}, &out))
		if strings.Contains(out.String(), secret[:8]) {
			t.Errorf("it is shown: %s", out.String())
		}
	}
}

func TestAReportInJSONIsWhatItsTypesSay(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	must(t, evilReport().JSON(&out))
	var got JSONReport
	d := json.NewDecoder(strings.NewReader(out.String()))
	d.DisallowUnknownFields()
	must(t, d.Decode(&got))
	if got.Version != 1 || got.Errors != 4 || got.Warnings != 1 || got.Notes != 1 || len(got.Mistakes) != 6 {
		t.Errorf("%+v", got)
	}
	want := JSONMistake{Error, "P005", "a key nobody knows", "routes/a b.yaml", 3, 7, 11, "unknown key", "did you mean?", "write it"}
	if diff := cmp.Diff(want, got.Mistakes[0]); diff != "" {
		t.Error(diff)
	}
	if m := got.Mistakes[2]; m.Line != 0 || m.Column != 0 || m.EndColumn != 0 {
		t.Errorf("a whole file has a column: %+v", m)
	}
	out.Reset()
	must(t, Report{}.JSON(&out))
	if !strings.Contains(out.String(), `"mistakes": []`) {
		t.Errorf("nothing found is not an empty list: %s", out.String())
	}
}

func TestAReportInSARIFKeepsToTheStandard(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/sarif-essentials.json")
	must(t, err)
	essentials, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	must(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	must(t, compiler.AddResource("sarif.json", essentials))
	schema, err := compiler.Compile("sarif.json")
	must(t, err)
	for name, report := range map[string]Report{"with mistakes": evilReport(), "without": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			must(t, report.SARIF(&out))
			instance, err := jsonschema.UnmarshalJSON(strings.NewReader(out.String()))
			must(t, err)
			if err := schema.Validate(instance); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}

// A viewer finds the help of a result by its index.
func TestAResultInSARIFPointsToItsRule(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	must(t, evilReport().SARIF(&out))
	var got sarifLog
	must(t, json.Unmarshal([]byte(out.String()), &got))
	run := got.Runs[0]
	for _, r := range run.Results {
		if rule := run.Tool.Driver.Rules[r.RuleIndex]; rule.ID != r.RuleID || rule.Help.Text == "" {
			t.Errorf("%s points to %+v", r.RuleID, rule)
		}
	}
	place := run.Results[0].Locations[0].Physical
	if place.Artifact.URI != "routes/a%20b.yaml" || *place.Region != (sarifRegion{3, 7, 11}) {
		t.Errorf("the place is %+v %+v", place, place.Region)
	}
	if len(run.Results[3].Locations) != 0 || run.Results[2].Locations[0].Physical.Region != nil {
		t.Error("what has no place has one")
	}
}

func TestAReportForGitHubIsAnnotations(t *testing.T) {
	t.Parallel()
	r := evilReport()
	r.Mistakes[1] = Mistake{Code: CodeForm, Pos: Pos{"a,b:c.yaml", 1, 2}, Width: 3, What: "50%\nof: it, gone"}
	var out strings.Builder
	must(t, r.GitHub(&out))
	want := `::error file=routes/a b.yaml,line=3,endLine=3,col=7,endColumn=11,title=P005%3A a key nobody knows::unknown key: did you mean?%0Awrite it
::error file=a%2Cb%3Ac.yaml,line=1,endLine=1,col=2,endColumn=5,title=P009%3A a value that cannot be read::50%25` + "\uFFFD" + `of: it, gone
::error file=a.yaml,title=P001%3A a file or folder that cannot be taken::it cannot be read
::error title=P099%3A what has no code of its own::something else
::warning file=a.yaml,line=2,endLine=2,col=1,endColumn=2,title=P041%3A an exemption past its day::it has ended
::notice file=a.yaml,line=2,endLine=2,col=1,endColumn=2,title=X001%3A X001::it is new
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
