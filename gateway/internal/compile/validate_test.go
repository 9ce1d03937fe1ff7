package compile

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

// noted is small with a route that validates what is posted by this schema.
func noted(validate, schema string) fstest.MapFS {
	return fstest.MapFS{
		"policy.yaml":      {Data: []byte(small + `  - {name: noted, match: POST /notes, allow: [{scopes: [read]}], limits: [many], waf: api, validate: ` + validate + "}\n")},
		"bodies/note.json": {Data: []byte(schema)},
	}
}

func TestARouteValidatesBodiesAfterTheyAreInspected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	for name, c := range map[string]struct{ validate, want string }{
		"in force":  {"{schema: bodies/note.json}", "unprocessable"},
		"in shadow": {"{schema: bodies/note.json, mode: shadow}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := counters{}
			f.compiler.config.Shadow = got.shadow
			s, err := f.compiler.Compile(f.in(t).document(noted(c.validate, `{"required": ["note"]}`)), nil)
			if err != nil {
				t.Fatal(err)
			}
			tx := f.in(t).ask(s, "/counted", f.mint())
			tx.Route = s.Routes[len(s.Routes)-1]
			tx.Request.Method, tx.Request.Body = http.MethodPost, io.NopCloser(strings.NewReader("{}"))
			tx.Request.ContentLength = 2
			tx.Request.Header.Set("Content-Type", "application/json")
			var stages []string
			for _, stage := range tx.Route.Stages {
				stages = append(stages, stage.Name())
			}
			if diff := cmp.Diff([]string{"capacity", "authenticate", "authorize", "principal-limit", "inspect", "validate"}, stages); diff != "" {
				t.Error(diff)
			}
			d := pipeline.Decide(tx)
			tx.Done()
			denied := ""
			if d.Problem != nil {
				denied = string(d.Problem.Code)
			}
			if denied != c.want {
				t.Errorf("decided %+v", d)
			}
			want := counters{}
			if c.want == "" {
				want = counters{"noted validate validate deny": new(counter), "noted validate validate fault": new(counter)}
				*want["noted validate validate deny"] = 1
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestASchemaThatCannotBeUsedIsAMistakeWhereItIsNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	for name, c := range map[string]struct{ schema, want string }{
		"one that makes no sense": {`{"type": "objekt"}`, "C008] bodies/note.json is not a JSON Schema: "},
		"one that is elsewhere":   {`{"$ref": "https://schemas.example/note.json"}`, "a schema may refer only to parts of itself"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.compiler.Compile(f.in(t).document(noted("{schema: bodies/note.json}", c.schema)), nil)
			if all := told(t, err); len(all) != 1 || !strings.HasPrefix(all[0], "policy.yaml:18:") || !strings.Contains(all[0], c.want) {
				t.Errorf("%q", all)
			}
		})
	}
}
