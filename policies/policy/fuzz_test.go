package policy

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

// Whatever a file holds, loading it does not panic, mistakes can be shown, and
// what is valid once is valid again and the same, and keeps to the schema.
func FuzzCheck(f *testing.F) {
	for _, pattern := range []string{"../*.yaml", "../routes/*.yaml", "../tests/*.yaml", "testdata/base.txt"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	cases, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	keeps := keepsToSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{"a.yaml": {Data: data}, "bodies/note.json": file("{}")}
		doc, err := Check(fsys, testEnvironment)
		if err != nil {
			mistakes, ok := errors.AsType[Mistakes](err)
			if !ok || len(mistakes) == 0 || len(mistakes) > mistakesShown+1 || doc != nil {
				t.Fatalf("document %v, error %v", doc, err)
			}
			must(t, mistakes.Render(io.Discard, true))
			return
		}
		for _, r := range doc.Routes {
			for _, rule := range append(r.Allow, r.Deny...) {
				for offset := range len(rule.When.V) {
					if at := doc.Within(rule.When, offset); at.Line < rule.When.Pos.Line || at.Column < 1 {
						t.Fatalf("byte %d of %q is at %s", offset, rule.When.V, at)
					}
				}
			}
			if e := doc.Effective(r); e.Body.V <= 0 || e.Timeout.V <= 0 || e.Upstream.V == "" && r.Redirect == nil || len(r.Allow) == 0 {
				t.Fatalf("a valid route is unbounded, goes nowhere or allows nobody: %+v", e)
			}
		}
		if err := keeps(data); err != nil {
			t.Fatalf("it is valid, and an editor would underline it: %v", err)
		}
		for _, m := range Advise(doc, time.Now()) {
			if m.Severity == Error || m.Place() == "policy" {
				t.Fatalf("advice is an error or has no place: %v", m)
			}
		}
		again, err := Check(fsys, testEnvironment)
		must(t, err)
		if diff := cmp.Diff(doc, again, cmpopts.IgnoreUnexported(Document{}), sameZone()); diff != "" {
			t.Fatalf("read twice, it is not the same:\n%s", diff)
		}
	})
}

func sameZone() cmp.Option {
	return cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
}
