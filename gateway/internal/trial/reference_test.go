package trial

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"portcullis/policies/policy"
)

// What the reference says of its example's requests is what becomes of them.
func TestTheExampleOfTheReferenceDoesWhatItSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../policies/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		switch example := string(found[1]); {
		case strings.Contains(example, "\nhosts:") && strings.Contains(example, "\nroutes:"):
			files["example.yaml"] = &fstest.MapFile{Data: found[1]}
		case strings.Contains(example, "\ntests:"):
			files["tests/example.yaml"] = &fstest.MapFile{Data: found[1]}
		}
	}
	doc, err := policy.Check(files, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Tests) < 10 || len(doc.Routes) < 2 {
		t.Fatalf("%d tests of %d routes are found", len(doc.Tests), len(doc.Routes))
	}
	whole, err := New(Config{Document: doc, Keys: NewKeys()})
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Run(t.Context(), doc.Tests, nil).Mistakes(doc); err != nil {
		t.Error(err)
	}
}

// The virtual patch of the reference is one, in the file that it says it is in.
func TestTheVirtualPatchOfTheReferenceHolds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../policies/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "### Virtual patches\n")
	blocks := regexp.MustCompile("(?s)```(yaml|apache)\n(.*?)```").FindAllStringSubmatch(section, 2)
	if !found || len(blocks) != 2 {
		t.Fatal("the reference has no virtual patch")
	}
	doc, err := policy.Check(fstest.MapFS{
		"waf.yaml":            {Data: []byte(blocks[0][2])},
		"waf/cve-2026-1.conf": {Data: []byte(blocks[1][2])},
		"routes.yaml": {Data: []byte(`version: 1
hosts: [localhost]
upstreams: [{name: booking, endpoints: ["https://localhost:9101"], credential: {none: a test}}]
routes:
  - {name: export, match: GET /exports, upstream: booking, waf: api, authenticate: {none: a test}, limits: {none: a test}, allow: [{anyone: true, reason: a test}]}
tests:
  - {name: a template that loads is refused, send: "GET /exports?template=%5B%5Bload%3Ax%5D%5D", expect: {status: 403, rule: "1000001"}}
  - {name: another is not, send: "GET /exports?template=invoice", expect: {status: 200}}
`)},
	}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := New(Config{Document: doc, Keys: NewKeys()})
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Run(t.Context(), doc.Tests, nil).Mistakes(doc); err != nil {
		t.Error(err)
	}
}
