package policy

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

func TestTheCommittedSchemaIsTheOneThatFollowsFromTheKeys(t *testing.T) {
	t.Parallel()
	if *update {
		must(t, os.WriteFile("../schema.json", Schema(), 0o644))
	}
	committed, err := os.ReadFile("../schema.json")
	must(t, err)
	if !bytes.Equal(committed, Schema()) {
		t.Error("policies/schema.json is not what gateway schema prints; run go test -run Schema -update ./policies/policy")
	}
}

func TestEveryShippedFileNamesItsSchemaAndKeepsToIt(t *testing.T) {
	t.Parallel()
	valid := keepsToSchema(t)
	seen := 0
	must(t, fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isPolicy(name) {
			return err
		}
		seen++
		data, err := os.ReadFile(filepath.Join("..", name))
		must(t, err)
		want := "# yaml-language-server: $schema=./" + strings.Repeat("../", strings.Count(name, "/")) + "schema.json\n"
		if want = strings.Replace(want, "./../", "../", 1); !bytes.HasPrefix(data, []byte(want)) {
			t.Errorf("%s does not begin with %q, so that no editor knows its keys", name, want)
		}
		if err := valid(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	}))
	if seen < 8 {
		t.Errorf("%d files were seen", seen)
	}
}

// What loads, the schema takes: an editor that underlines what is right is
// switched off.
func TestTheSchemaTakesWhateverIsValid(t *testing.T) {
	t.Parallel()
	valid := keepsToSchema(t)
	base, err := os.ReadFile("testdata/base.txt")
	must(t, err)
	must(t, valid(base))
	cases, err := filepath.Glob("testdata/*.txtar")
	must(t, err)
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		must(t, err)
		for _, f := range archive.Files {
			if !isPolicy(f.Name) {
				continue
			}
			files := fstest.MapFS{"a.yaml": &fstest.MapFile{Data: f.Data}, "bodies/note.json": file("{}"), "bodies/a.json": file("{}")}
			if _, err := Load(files, testEnvironment); err != nil {
				continue
			}
			if err := valid(f.Data); err != nil {
				t.Errorf("%s: %s: %v", name, f.Name, err)
			}
		}
	}
}

func TestTheSchemaUnderlinesWhatCannotStand(t *testing.T) {
	t.Parallel()
	valid := keepsToSchema(t)
	route := func(keys string) string {
		return "version: 1\nroutes: [{name: x, match: GET /x, " + keys + "}]"
	}
	for name, text := range map[string]string{
		"no version":                      "hosts: [localhost]",
		"another version":                 "version: 2",
		"a version in quotes":             `version: "1"`,
		"a key nobody knows":              "version: 1\nroutse: []",
		"a route's key nobody knows":      route("limts: [x]"),
		"a route without a name":          "version: 1\nroutes: [{match: GET /x}]",
		"an empty list":                   "version: 1\nlimits: []",
		"a host that is a number":         "version: 1\nhosts: [5]",
		"a list with a repeat":            "version: 1\nhosts: [a, a]",
		"a duration without a unit":       route("timeout: 3"),
		"a duration with a unit of hours": route("timeout: 3 hours"),
		"a size without a unit":           route("body: 64"),
		"a size in other units":           route("body: 64kb"),
		"an opt-out without a reason":     route("waf: {none: }"),
		"an opt-out misspelt":             route("waf: {non: x}"),
		"a mode nobody knows":             route("allow: [{scopes: [x], mode: dark}]"),
		"a rule's key nobody knows":       route("allow: [{scope: [x]}]"),
		"a status of no redirect":         route("redirect: {to: /x, status: 200}"),
		"a redirect to nowhere":           route("redirect: {status: 301}"),
		"origins that are no list":        route("cors: {origins: https://a.test}"),
		"fields that are a list":          route("response: {set: [Server]}"),
		"a rate without a period":         "version: 1\nlimits: [{name: x, by: source, rate: 600}]",
		"a way to count nobody knows":     "version: 1\nlimits: [{name: x, by: sorce, rate: 600/1m}]",
		"two credentials at once":         "version: 1\nupstreams: [{name: x, endpoints: [https://x], credential: {client: x, none: y}}]",
		"no credential":                   "version: 1\nupstreams: [{name: x, endpoints: [https://x], credential: {}}]",
		"a share that is no percentage":   "version: 1\nupstreams: [{name: x, endpoints: [https://x], credential: {client: x}, breaker: {failures: 50}}]",
		"an exclusion nobody owns":        "version: 1\nwaf: [{name: x, exclusions: [{rules: [942100], target: ARGS:a, reason: x, expires: 2027-06-30, must_pass: [a], must_block: [b]}]}]",
		"an exclusion without an end":     "version: 1\nwaf: [{name: x, exclusions: [{rules: [942100], target: ARGS:a, reason: x, owner: y, expires: never, must_pass: [a], must_block: [b]}]}]",
		"a claim of a type nobody knows":  "version: 1\nissuers: [{name: x, url: https://x, audience: y, claims: {a: word}}]",
		"a test that expects nothing":     "version: 1\ntests: [{name: x, send: GET /x}]",
		"a stage nobody knows":            "version: 1\ntests: [{name: x, send: GET /x, expect: {stage: authorise}}]",
		"a private key":                   "version: 1\nclients: [{name: x, grants: [client_credentials], audiences: [{name: a, scopes: [b]}], keys: [\"-----BEGIN PRIVATE KEY-----\"]}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := valid([]byte(text)); err == nil {
				t.Errorf("nothing is underlined in:\n%s", text)
			}
			if _, err := Load(fstest.MapFS{"a.yaml": file(text)}, noEnvironment); err == nil {
				t.Errorf("it loads:\n%s", text)
			}
		})
	}
}

// An editor shows what a key means; a key without a word would be guessed at.
func TestEveryKeyIsExplained(t *testing.T) {
	t.Parallel()
	d := &decoder{doc: &Document{}}
	var explain func(at string, x table)
	explain = func(at string, x table) {
		for _, f := range x.keys {
			if strings.TrimSpace(f.doc) == "" || f.reader.schema() == nil {
				t.Errorf("%s.%s has no explanation", at, f.key)
			}
			if f.reader.table != nil {
				explain(at+"."+f.key, f.reader.table())
			}
		}
	}
	explain("file", d.fileTable(new(Value[int]), new(Value[string])))
}

// keepsToSchema checks the YAML of a file against the schema, as editors do.
func keepsToSchema(t testing.TB) func(data []byte) error {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(data []byte) error {
		var n yaml.Node
		if err := yaml.Unmarshal(data, &n); err != nil {
			return err
		}
		d := &decoder{doc: &Document{sources: map[string]*source{}}}
		v, ok := d.value(n.Content[0])
		if !ok {
			return errors.New("not JSON: " + d.mistakes.Error())
		}
		return compiled.Validate(v)
	}
}
