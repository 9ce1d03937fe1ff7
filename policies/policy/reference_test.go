package policy

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func reference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	must(t, err)
	return string(data)
}

// The tables of the reference follow from the tables of the keys and from the
// explanations of the codes, so that each is told and none that is not there.
func TestTheReferenceTellsEveryKeyAndEveryCode(t *testing.T) {
	t.Parallel()
	was := reference(t)
	marker := regexp.MustCompile(`(?s)<!-- keys of ([^>]*) -->\n.*?<!-- end -->`)
	all := tables()
	own := map[string]bool{} // with a table of their own
	for _, found := range marker.FindAllStringSubmatch(was, -1) {
		if _, known := all[found[1]]; !known {
			t.Errorf("nothing is called %q; there are %q", found[1], slices.Sorted(maps.Keys(all)))
		}
		own[found[1]] = true
	}
	if !own["a policy file"] {
		t.Fatal("there is no table of a policy file, from which all others follow")
	}
	now := marker.ReplaceAllStringFunc(was, func(found string) string {
		what := marker.FindStringSubmatch(found)[1]
		var out strings.Builder
		out.WriteString("<!-- keys of " + what + " -->\n| key | meaning |\n|---|---|\n")
		rows(&out, all[what], "", own)
		return out.String() + "<!-- end -->"
	})
	codes := regexp.MustCompile(`(?s)<!-- codes -->\n.*?<!-- end -->`)
	if !codes.MatchString(now) {
		t.Fatal("there is no table of codes")
	}
	now = codes.ReplaceAllStringFunc(now, func(string) string {
		var out strings.Builder
		out.WriteString("<!-- codes -->\n| code | meaning |\n|---|---|\n")
		for _, e := range Explanations() {
			out.WriteString("| " + e.Code + " | " + strings.ReplaceAll(e.Title, "|", `\|`) + " |\n")
		}
		return out.String() + "<!-- end -->"
	})
	if *update {
		must(t, os.WriteFile("../README.md", []byte(now), 0o644))
		return
	}
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("run go test -run Reference -update ./policies/policy (-committed +generated):\n%s", diff)
	}
}

// tables are all there are, by what they are called.
func tables() map[string]table {
	all := map[string]table{}
	var add func(x table)
	add = func(x table) {
		all[x.what] = x
		for _, f := range x.keys {
			if f.reader.table != nil {
				add(f.reader.table())
			}
		}
	}
	d := &decoder{doc: &Document{}}
	add(d.fileTable(new(Value[int]), new(Value[string])))
	return all
}

// rows writes the keys of a table, and of those below it that have none of
// their own.
func rows(out *strings.Builder, x table, prefix string, own map[string]bool) {
	for _, f := range x.keys {
		name := "`" + prefix + f.key + "`"
		if f.required {
			name = "**" + name + "**"
		}
		out.WriteString("| " + name + " | " + strings.ReplaceAll(f.doc, "|", `\|`) + " |\n")
		if f.reader.table == nil {
			continue
		}
		if below := f.reader.table(); !own[below.what] {
			rows(out, below, prefix+f.key+".", own)
		}
	}
}

// Each example is a whole policy, or one over testdata/base.txt, or the tests of
// the one before. What the tests of the first expect is asked by the trial.
func TestEveryExampleOfTheReferenceLoads(t *testing.T) {
	t.Parallel()
	base, err := os.ReadFile("testdata/base.txt")
	must(t, err)
	var whole string
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(reference(t), -1)
	if len(examples) < 4 {
		t.Fatalf("%d examples", len(examples))
	}
	patch := regexp.MustCompile("(?s)```apache\n(.*?)```").FindStringSubmatch(reference(t))
	if patch == nil {
		t.Fatal("no patch")
	}
	for _, found := range examples {
		text := found[1]
		files := fstest.MapFS{"example.yaml": file(text), "base.yaml": {Data: base}, "bodies/note.json": file("{}"), "waf/cve-2026-1.conf": file(patch[1])}
		switch {
		case strings.Contains(text, "\nhosts:"):
			whole = text
			delete(files, "base.yaml")
		case strings.Contains(text, "\ntests:"):
			files["base.yaml"] = file(whole)
		}
		if _, err := Check(files, noEnvironment); err != nil {
			t.Errorf("%v\nin the example\n%s", err, text)
		}
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("code.go")
	must(t, err)
	explained := map[string]bool{}
	for _, e := range Explanations() {
		explained[e.Code] = true
	}
	for _, code := range regexp.MustCompile(`"(P\d{3})"`).FindAllStringSubmatch(string(source), -1) {
		if !explained[code[1]] {
			t.Errorf("the code %s has no explanation", code[1])
		}
	}
}
