package policy

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Each file in testdata/format is a specification: its name and comment say what
// becomes of white space, "is" is the file and "becomes" what is made of it. In
// "is" a ~ at the end of a line stands for a space there, and ⇥ for a tab.
func TestFilesAreGivenTheirForm(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/format/*.txtar")
	if err != nil || len(cases) < 5 {
		t.Fatalf("%d cases found, error %v", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			must(t, err)
			is := strings.NewReplacer("~\n", " \n", "⇥", "\t").Replace(string(archive.Files[0].Data))
			got, err := Format("a.yaml", []byte(is))
			must(t, err)
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "becomes", Data: got})
				must(t, os.WriteFile(name, txtar.Format(archive), 0o644))
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), string(got)); diff != "" {
				t.Errorf("it becomes something else (-want +got):\n%s", diff)
			}
			formatted(t, []byte(is), got)
		})
	}
}

// formatted checks what holds of whatever was formatted.
func formatted(t *testing.T, was, is []byte) {
	t.Helper()
	again, err := Format("a.yaml", is)
	if err != nil || !bytes.Equal(is, again) {
		t.Errorf("formatted twice it changes (error %v):\n%s", err, cmp.Diff(string(is), string(again)))
	}
	before, err := nodes("a.yaml", strings.ReplaceAll(strings.TrimPrefix(string(was), "\ufeff"), "\r\n", "\n"))
	must(t, err)
	after, err := nodes("a.yaml", string(is))
	must(t, err)
	if !same(before, after) {
		t.Error("it says something else")
	}
	if len(is) > 0 && (is[len(is)-1] != '\n' || bytes.ContainsAny(is, "\r")) {
		t.Error("its lines do not end as they should")
	}
}

func TestTheShippedPoliciesAreFormatted(t *testing.T) {
	t.Parallel()
	policies := os.DirFS("..")
	names, err := Files(policies)
	must(t, err)
	if len(names) < 8 {
		t.Fatalf("only %q are found", names)
	}
	for _, name := range names {
		was, err := fs.ReadFile(policies, name)
		must(t, err)
		is, err := Format(name, was)
		must(t, err)
		for _, c := range Changes(was, is) {
			t.Errorf("%s:%d:\n- %s\n+ %s", name, c.Line, c.Old, c.New)
		}
	}
}

func TestWhatCannotBeFormattedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, code string }{
		"what is not YAML":        {"a: [\n", CodeSyntax},
		"an anchor":               {"a: &x 1\n", CodeFeature},
		"a tag":                   {"a: !!str 1\n", CodeFeature},
		"an explicit key":         {"? a\n: 1\n", CodeFeature},
		"two documents":           {"a: 1\n---\nb: 1\n", CodeFeature},
		"a break that is none":    {"a: 1 # \u2028\n", CodeFile},
		"a carriage return alone": {"a: 1\rb: 1\n", CodeFile},
		"what is no text":         {"a: \xff\n", CodeFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Format("a.yaml", []byte(c.text))
			ms, ok := err.(Mistakes)
			if !ok || got != nil || ms[0].Code != c.code {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Whatever a file holds, its form is one that Format leaves as it is, and says
// the same with the same comments.
func FuzzFormat(f *testing.F) {
	for _, pattern := range []string{"../*.yaml", "../*/*.yaml", "testdata/base.txt"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, pattern := range []string{"testdata/*.txtar", "testdata/format/*.txtar"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				f.Fatal(err)
			}
			for _, file := range archive.Files {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Format("a.yaml", data)
		if err != nil {
			if _, ok := err.(Mistakes); !ok || got != nil {
				t.Fatalf("%q, error %v", got, err)
			}
			return
		}
		if ink(string(got)) != ink(strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")) {
			t.Errorf("something is lost:\n%s", got)
		}
		formatted(t, data, got)
		Changes(data, got)
	})
}
