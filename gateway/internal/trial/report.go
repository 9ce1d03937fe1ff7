package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// mistakes are what is wrong with a test, each where it is expected.
func (r Result) mistakes(doc *policy.Document) policy.Mistakes {
	name := fmt.Sprintf("test %q", r.Test.Name.V)
	if r.Err != nil {
		return policy.Mistakes{doc.Excerpt(policy.At(r.Test.Name.Pos, CodeFailed, name+" cannot be run: "+r.Err.Error(), ""))}
	}
	var all policy.Mistakes
	for _, miss := range r.Misses {
		at := miss.Pos
		if at.Line == 0 {
			at = r.Test.Name.Pos
		}
		m := policy.At(at, CodeFailed, fmt.Sprintf("%s: %s: want %s, got %s", name, miss.What, miss.Want, miss.Got), "")
		m = doc.Excerpt(m)
		m.Why = "got " + miss.Got
		if r.Explained != nil {
			m.Hint = Headline(*r.Explained)
		}
		all = append(all, m)
	}
	return all
}

// Mistakes are all failed tests of a report as mistakes of the policy; nil when
// none failed.
func (r Report) Mistakes(doc *policy.Document) error {
	var all []error
	for _, result := range r.Results {
		if result.Failed() {
			all = append(all, result.mistakes(doc))
		}
	}
	return policy.Join(all...)
}

// within is a place as seen from where the policy folder dir is.
func within(dir string, p policy.Pos) policy.Pos {
	if p.File != "" {
		p.File = filepath.Join(dir, p.File)
	}
	return p
}

// Text writes a report for a person: of each failed test what was wanted and
// what came instead, where, and why. dir is put before the names of files.
func (r Report) Text(w io.Writer, doc *policy.Document, dir string, color bool) error {
	var out bytes.Buffer
	p := paint{color}
	for _, result := range r.Results {
		if !result.Failed() {
			continue
		}
		wrong := result.mistakes(doc)
		for i := range wrong {
			wrong[i].Pos = within(dir, wrong[i].Pos)
			wrong[i].Hint = "" // the tree below begins with it
		}
		fmt.Fprintf(&out, "%s %s (%s)\n", p.red("--- FAIL:"), clean(result.Test.Name.V), clean(wrong[0].Pos.String()))
		if err := wrong.Render(&out, color); err != nil {
			return err
		}
		if result.Explained != nil {
			if err := Render(&out, *result.Explained, color); err != nil {
				return err
			}
		}
		out.WriteByte('\n')
	}
	_, err := w.Write(out.Bytes())
	return err
}

// Summary is a report in one line.
func (r Report) Summary() string {
	c := r.Coverage
	covered := fmt.Sprintf("coverage %d%% (%s, %s)", c.Percent(), count(c.Routes, "route"), count(c.Rules, "rule"))
	if failed := r.Failed(); failed > 0 {
		return fmt.Sprintf("FAIL: %d of %s failed, %s", failed, count(len(r.Results), "test"), covered)
	}
	return fmt.Sprintf("ok: %s, %s", count(len(r.Results), "test"), covered)
}

// count writes "1 route", "2 routes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Text is a gap in one line, with its place.
func (g Gap) Text(dir string) string {
	at := within(dir, g.Pos)
	return fmt.Sprintf("%s:%d: %s %s %s", at.File, at.Line, g.Kind, g.Name, g.What)
}

// The report as JSON.
type (
	reportJSON struct {
		Tests    []testJSON   `json:"tests"`
		Failed   int          `json:"failed"`
		Coverage coverageJSON `json:"coverage"`
	}
	testJSON struct {
		Name      string              `json:"name"`
		Place     string              `json:"place"`
		Passed    bool                `json:"passed"`
		Requests  int                 `json:"requests"`
		Seconds   float64             `json:"seconds"`
		Error     string              `json:"error,omitempty"`
		Failures  []missJSON          `json:"failures,omitempty"`
		Explained *pipeline.Explained `json:"explained,omitempty"`
	}
	missJSON struct {
		Place string `json:"place"`
		What  string `json:"what"`
		Want  string `json:"want"`
		Got   string `json:"got"`
	}
	coverageJSON struct {
		Coverage
		Percent int       `json:"percent"`
		Gaps    []gapJSON `json:"gaps"`
	}
	gapJSON struct {
		Gap
		Place string `json:"place"`
	}
)

// JSON writes a report for programs. dir is put before the names of files.
func (r Report) JSON(w io.Writer, dir string) error {
	out := reportJSON{Tests: []testJSON{}, Failed: r.Failed(), Coverage: coverageJSON{Coverage: r.Coverage, Percent: r.Coverage.Percent(), Gaps: []gapJSON{}}}
	for _, result := range r.Results {
		t := testJSON{
			Name: result.Test.Name.V, Place: within(dir, result.Test.Name.Pos).String(), Passed: !result.Failed(), Requests: result.Requests,
			Seconds: result.Took.Round(time.Microsecond).Seconds(), Explained: result.Explained,
		}
		if result.Err != nil {
			t.Error = result.Err.Error()
		}
		for _, m := range result.Misses {
			t.Failures = append(t.Failures, missJSON{within(dir, m.Pos).String(), m.What, m.Want, m.Got})
		}
		out.Tests = append(out.Tests, t)
	}
	for _, g := range r.Coverage.Gaps {
		out.Coverage.Gaps = append(out.Coverage.Gaps, gapJSON{g, within(dir, g.Pos).String()})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// outline is a failed test as plain text.
func (r Result) outline(doc *policy.Document, dir string) (first, all string) {
	wrong := r.mistakes(doc)
	var out strings.Builder
	for _, m := range wrong {
		m.Pos = within(dir, m.Pos)
		out.WriteString(m.Error() + "\n")
	}
	if r.Explained != nil {
		_ = Render(&out, *r.Explained, false) // a strings.Builder takes everything
	}
	return wrong[0].What, out.String()
}
