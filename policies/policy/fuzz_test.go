package policy

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

// Whatever a file holds, loading it does not panic, mistakes can be shown, and
// what is valid once is valid again and the same.
func FuzzCheck(f *testing.F) {
	for _, pattern := range []string{"../*.yaml", "../routes/*.yaml", "testdata/base.txt"} {
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
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{"a.yaml": {Data: data}}
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
			if e := doc.Effective(r); e.Body <= 0 || e.Timeout <= 0 || e.Upstream == "" || len(r.Allow) == 0 {
				t.Fatalf("a valid route is unbounded, goes nowhere or allows nobody: %+v", e)
			}
		}
		again, err := Check(fsys, testEnvironment)
		must(t, err)
		if diff := cmp.Diff(doc, again, cmpopts.IgnoreUnexported(Document{})); diff != "" {
			t.Fatalf("read twice, it is not the same:\n%s", diff)
		}
	})
}
