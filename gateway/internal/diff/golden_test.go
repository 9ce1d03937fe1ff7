package diff_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"portcullis/gateway/internal/diff"
	"portcullis/policies/policy"
)

var update = flag.Bool("update", false, "write what is reported into the golden files")

// Each file of testdata/found is an edit of the policies in testdata/base that
// lets more through, and what is reported of it.
func TestEditsThatWidenAreFound(t *testing.T) {
	t.Parallel()
	golden(t, "found", true)
}

// Each file of testdata/harmless is an edit that lets nothing more through.
func TestHarmlessEditsPass(t *testing.T) {
	t.Parallel()
	golden(t, "harmless", false)
}

const fewest = 20

func golden(t *testing.T, folder string, widens bool) {
	cases, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(cases) < fewest {
		t.Fatalf("there are %d cases in %s, error %v", len(cases), folder, err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			old, now := sides(t, archive)
			report := diff.Compare(old, now)
			if report.Widens() != widens {
				t.Errorf("it widens: %v", report.Widens())
			}
			for i := range archive.Files {
				if archive.Files[i].Name != "want" {
					continue
				}
				got := written(report)
				if *update {
					archive.Files[i].Data = []byte(got)
					if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if d := cmp.Diff(string(archive.Files[i].Data), got); d != "" {
					t.Error(d)
				}
				return
			}
			t.Error("the file says not what is wanted")
		})
	}
}

// sides lays the files old/... and new/... over the base; an empty one is left out.
func sides(t *testing.T, archive *txtar.Archive) (old, now *policy.Document) {
	base := fstest.MapFS{}
	root := os.DirFS(filepath.Join("testdata", "base"))
	if err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		base[name] = &fstest.MapFile{Data: data}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	files := map[string]fstest.MapFS{"old": maps.Clone(base), "new": maps.Clone(base)}
	for _, f := range archive.Files {
		side, name, ok := strings.Cut(f.Name, "/")
		switch {
		case !ok:
		case len(f.Data) == 0:
			delete(files[side], name)
		default:
			files[side][name] = &fstest.MapFile{Data: f.Data}
		}
	}
	load := func(side string) *policy.Document {
		doc, err := policy.Check(files[side], func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatalf("%s: %v", side, err)
		}
		return doc
	}
	return load("old"), load("new")
}

func written(r diff.Report) string {
	var b strings.Builder
	for _, kind := range diff.Kinds() {
		for i, f := range r.Of(kind) {
			if i == 0 {
				fmt.Fprintf(&b, "%s:\n", kind)
			}
			side := "new/"
			if f.Removed {
				side = "old/"
			}
			fmt.Fprintf(&b, "  %s%s:%d: %s\n", side, f.Pos.File, f.Pos.Line, f.Text())
		}
	}
	return b.String() + r.Verdict() + "\n"
}
