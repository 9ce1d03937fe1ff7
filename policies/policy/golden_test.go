package policy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the mistakes in testdata")

// Each file in testdata is a specification: its name says what is wrong, its
// comment why that matters, its files are the policy, and "mistakes" is what a
// person sees. A file named base.yaml that a case does not bring is
// testdata/base.txt. With -update the mistakes are written anew; a change in
// them is a change of behaviour.
func TestMistakesAreShownWhereTheyWereMade(t *testing.T) {
	t.Parallel()
	base, err := os.ReadFile("testdata/base.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) < 30 {
		t.Fatalf("%d cases found, error %v", len(cases), err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fsys := fstest.MapFS{"base.yaml": {Data: base}}
			var want string
			for _, f := range archive.Files {
				if f.Name == "mistakes" {
					want = string(f.Data)
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			got := rendered(t, fsys)
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the mistakes differ (-want +got):\n%s", diff)
			}
		})
	}
}

// rendered is what a person sees of the mistakes; empty when there are none.
func rendered(t *testing.T, fsys fstest.MapFS) string {
	t.Helper()
	_, err := Check(fsys, testEnvironment)
	if err == nil {
		return ""
	}
	mistakes, ok := err.(Mistakes)
	if !ok {
		t.Fatalf("the error is a %T", err)
	}
	var out strings.Builder
	if err := mistakes.Render(&out, false); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, mistakes string) {
	t.Helper()
	kept := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != "mistakes" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "mistakes", Data: []byte(mistakes)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func testEnvironment(name string) (string, bool) {
	switch name {
	case "SEARCH_URL":
		return "https://search.hotel.test:9101", true
	case "EMPTY":
		return "", true
	}
	return "", false
}
