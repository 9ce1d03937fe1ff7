package policy

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// What the explanation of a code shows as wrong has a mistake of that code, and
// what it shows as right has not. Neither has any other error: an example with
// two mistakes explains none.
func TestExamplesOfMistakesShowWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, e := range Explanations() {
		t.Run(e.Code, func(t *testing.T) {
			t.Parallel()
			if e.Title == "" || e.Why == "" || e.Mend == "" || (e.Wrong == "") != (e.Right == "") {
				t.Fatalf("it explains half: %+v", e)
			}
			if e.Wrong == "" {
				return
			}
			if codes := codesOf(t, e.Wrong); !slices.Contains(codes.all, e.Code) || len(codes.errors) > 1 {
				t.Errorf("what is wrong has %v", codes)
			}
			if codes := codesOf(t, e.Right); slices.Contains(codes.all, e.Code) || len(codes.errors) > 0 {
				t.Errorf("what is right has %v", codes)
			}
		})
	}
}

type found struct{ errors, all []string }

// codesOf finds the codes in a piece of a policy. One that names no hosts stands
// beside testdata/base.txt.
func codesOf(t *testing.T, piece string) found {
	t.Helper()
	if !strings.HasPrefix(piece, "version:") {
		piece = "version: 1\n" + piece
	}
	fsys := fstest.MapFS{"a.yaml": {Data: []byte(piece)}}
	if !strings.Contains(piece, "hosts:") && !strings.Contains(piece, "defaults:") {
		base, err := os.ReadFile("testdata/base.txt")
		must(t, err)
		fsys["base.yaml"] = &fstest.MapFile{Data: base}
	}
	doc, err := Check(fsys, noEnvironment)
	if err != nil {
		ms, _ := errors.AsType[Mistakes](err)
		return found{ms.Codes(), ms.Codes()}
	}
	return found{nil, Advise(doc, time.Date(2027, 1, 13, 12, 0, 0, 0, time.UTC)).Codes()}
}
