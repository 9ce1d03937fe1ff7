package policy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Each file in testdata/advice is a specification, as those in testdata are: its
// comment says what is worth knowing, "advice" is what a person sees on
// 13 January 2027. With -update it is written anew.
func TestAdviceIsGivenWhereItHelps(t *testing.T) {
	t.Parallel()
	base, err := os.ReadFile("testdata/base.txt")
	must(t, err)
	cases, err := filepath.Glob("testdata/advice/*.txtar")
	if err != nil || len(cases) < 8 {
		t.Fatalf("%d cases found, error %v", len(cases), err)
	}
	now := time.Date(2027, 1, 13, 12, 0, 0, 0, time.UTC)
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			must(t, err)
			fsys := fstest.MapFS{"base.yaml": {Data: base}}
			var want string
			kept := archive.Files[:0]
			for _, f := range archive.Files {
				if f.Name == "advice" {
					want = string(f.Data)
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				kept = append(kept, f)
			}
			doc, err := Check(fsys, testEnvironment)
			must(t, err)
			var got strings.Builder
			must(t, Advise(doc, now).Render(&got, false))
			if *update {
				archive.Files = append(kept, txtar.File{Name: "advice", Data: []byte(got.String())})
				must(t, os.WriteFile(name, txtar.Format(archive), 0o644))
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("the advice differs (-want +got):\n%s", diff)
			}
		})
	}
}

// Ten thousand routes below one path must not be compared each with each.
func TestAdviceOnManyRoutesComesSoon(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("version: 1\nupstream: search\nroutes:\n  - {name: pages, match: GET /v1/*, allow: [{scopes: [pages]}]}\n")
	for i := range 10_000 {
		n := strconv.Itoa(i)
		text.WriteString("  - {name: r" + n + ", match: \"GET /v1/r" + n + "/{id}\", allow: [{scopes: [a]}]}\n")
	}
	base, err := os.ReadFile("testdata/base.txt")
	must(t, err)
	began := time.Now()
	doc, err := Check(fstest.MapFS{"base.yaml": {Data: base}, "routes.yaml": file(text.String())}, testEnvironment)
	must(t, err)
	checked := time.Now()
	advice := Advise(doc, checked)
	// To check them takes nine times as long; both are as slow as the machine is.
	if took := time.Since(checked); took > checked.Sub(began) {
		t.Errorf("it took %s, longer than to check them, which took %s", took, checked.Sub(began))
	}
	if len(advice) != 1 || !strings.Contains(advice[0].What, "and 9997 more") {
		t.Errorf("%v", advice)
	}
}
