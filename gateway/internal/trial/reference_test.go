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
