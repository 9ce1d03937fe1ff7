package trial

import (
	"context"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"portcullis/policies/policy"
)

// blind are changes that no test of a policy can see, and why. Not listed, as no
// key of a test could tell of them either: timeout, capacity, connect, attempt and
// breaker (a trial waits for nobody and asks one thing at a time); endpoints, url,
// jwks, ca and revocations (it reaches nobody); paranoia.detection, threshold.outbound
// and log (they decide nothing); clients (the token service's); reasons, owners and
// dates (they decide nothing either).
func blind() map[string]string {
	return map[string]string{
		"dropped alone": "a floor refuses to load what is below it, and nothing is; the tests of what it demands are seen to fail without it",
	}
}

func TestEveryMutationOfTheShippedPoliciesFailsATest(t *testing.T) {
	t.Parallel()
	mutate(t, os.DirFS("../../../policies"))
}

// The same for everything the language can say.
func TestEveryMutationOfAPolicyOfEverythingFailsATest(t *testing.T) {
	t.Parallel()
	mutate(t, os.DirFS("testdata/notes"))
}

func noEnvironment(string) (string, bool) { return "", false }

func load(t *testing.T, files fs.FS) *policy.Document {
	t.Helper()
	doc, err := policy.Check(files, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// mutate changes one thing of a policy after the other and asks its own tests.
func mutate(t *testing.T, files fs.FS) {
	doc := load(t, files)
	keys := NewKeys()
	whole, err := New(Config{Document: doc, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	report := whole.Run(t.Context(), doc.Tests, nil)
	if err := report.Mistakes(doc); err != nil {
		t.Fatalf("the policy as it is: %v", err)
	}
	for _, g := range report.Coverage.Gaps {
		t.Error(g.Text(""))
	}
	// The cheap tests first: most mutations fail one of them.
	slices.SortStableFunc(doc.Tests, func(a, b *policy.Test) int { return a.Times.Or(1) - b.Times.Or(1) })
	untested := *doc
	untested.Tests = nil // they are as they are
	for i, m := range mutationsOf(doc) {
		if i%oneIn != 0 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			changed := copied(reflect.ValueOf(&untested)).Interface().(*policy.Document)
			m.apply(changed)
			noticed := notices(t, changed, Config{Document: changed, From: whole.Snapshot(), Keys: keys}, likely(doc.Tests, m.name))
			why, blind := blindTo(m.name)
			switch {
			case blind && noticed:
				t.Errorf("a test sees it after all: it is no longer true that %s", why)
			case !blind && !noticed:
				t.Error("no test fails")
			}
		})
	}
}

// copied is a document that shares nothing with another that a mutation changes:
// to read it once more from its files takes longer than the tests that notice.
// What is not exported stays shared; no mutation reaches it.
func copied(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(copied(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(copied(v.Index(i)))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(copied(v.Field(i)))
			}
		}
	}
	return out
}

// likely puts the tests of the route or limit that a mutation is about first: one
// of them mostly notices.
func likely(tests []*policy.Test, mutation string) []*policy.Test {
	kind, rest, _ := strings.Cut(mutation, " ")
	name, _, _ := strings.Cut(rest, ": ")
	about := func(test *policy.Test) int {
		if kind == "route" && test.Expect.Route.V == name || kind == "limit" && test.Expect.Limit.V == name {
			return 0
		}
		return 1
	}
	sorted := slices.Clone(tests)
	slices.SortStableFunc(sorted, func(a, b *policy.Test) int { return about(a) - about(b) })
	return sorted
}

func blindTo(name string) (why string, is bool) {
	for part, why := range blind() {
		if strings.Contains(name, part) {
			return why, true
		}
	}
	return "", false
}

// notices reports whether a changed policy is refused, or fails a test.
func notices(t *testing.T, doc *policy.Document, c Config, tests []*policy.Test) bool {
	t.Helper()
	if err := policy.Validate(doc); err != nil {
		t.Logf("refused: %v", err)
		return true
	}
	changed, err := New(c)
	if err != nil {
		t.Logf("cannot be compiled: %v", err)
		return true
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := false
	changed.Run(ctx, tests, func(r Result) {
		if r.Failed() {
			failed = true
			cancel() // one is enough
		}
	})
	return failed
}
