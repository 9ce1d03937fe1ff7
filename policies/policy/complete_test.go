package policy

import (
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// complete are the policies of testdata that have every key between them.
func complete(t *testing.T) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, name := range []string{"testdata/every-key-there-is.txtar", "testdata/a-complete-token-service-has-no-mistakes.txtar"} {
		archive, err := txtar.ParseFile(name)
		must(t, err)
		for _, f := range archive.Files {
			fsys[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return fsys
}

func TestEveryFieldOfADocumentIsReadFromSomeKey(t *testing.T) {
	t.Parallel()
	doc, err := Load(complete(t), testEnvironment)
	must(t, err)
	read := map[string]bool{}
	note(reflect.ValueOf(doc), "Document", read)
	for name, filled := range read {
		if !filled {
			t.Errorf("%s is never read", name)
		}
	}
}

// note records which exported fields of the package's types hold something,
// somewhere below v.
func note(v reflect.Value, name string, read map[string]bool) {
	read[name] = read[name] || !v.IsZero()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Type().PkgPath() == reflect.TypeFor[Document]().PkgPath() {
			note(v.Elem(), name, read)
		}
	case reflect.Slice:
		for i := range v.Len() {
			note(v.Index(i), name+"[]", read)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				note(v.Field(i), v.Type().Name()+"."+f.Name, read)
			}
		}
	}
}

func TestValuesAreWhatWasWritten(t *testing.T) {
	t.Parallel()
	doc, err := Load(complete(t), testEnvironment)
	must(t, err)
	rule := doc.Routes[0].Allow[0]
	if h := rule.Hours[1]; !h.Days[time.Saturday] || !h.Days[time.Sunday] || h.Days[time.Monday] || h.Begin != 22*time.Hour || h.End != 6*time.Hour || h.Zone.String() != "UTC" {
		t.Errorf("hours %+v", h)
	}
	if c := rule.Claims[1]; c.Name != "groups" || len(c.Values) != 2 || c.Values[1].V != "admin" {
		t.Errorf("claims %+v", c)
	}
	if f := doc.Routes[0].Request.Set[0]; f.Name != "X-Tenant" || f.Value.V != "hotel" {
		t.Errorf("field %+v", f)
	}
	if e := doc.WAF[0].Exclusions[0]; e.Expires.V.Format(time.RFC3339) != "2027-07-01T00:00:00Z" || e.Rules[0].V != 942100 {
		t.Errorf("exclusion %+v", e)
	}
	as := doc.Tests[0].As
	if as["staff"] != true || as["level"] != int64(3) || as["weight"] != 1.5 || as["act"].(map[string]any)["sub"] != nil {
		t.Errorf("claims of a test %v", as)
	}
	if doc.Tests[2].As == nil || doc.Tests[1].As != nil || !doc.Tests[1].Expect.ShadowSet || doc.Tests[2].Expect.ShadowSet {
		t.Error("what is empty and what is absent are taken for each other")
	}
	if got := doc.Tests[0].At.V.Format(time.RFC3339); got != "2027-01-13T10:00:00Z" {
		t.Errorf("at %s", got)
	}
	if schema, ok := doc.File("bodies/note.json"); !ok || len(schema) == 0 {
		t.Error("the schema of bodies is not read")
	}
}
