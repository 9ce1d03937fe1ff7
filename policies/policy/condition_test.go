package policy

import (
	"strings"
	"testing"
	"testing/fstest"
)

// Whatever way a condition is written, a caret under a part of it stands under
// that part. In each case the part is the word HERE.
func TestAPartOfAConditionIsFoundInItsFile(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]string{
		"plain":                       `when: 1 < 2 && HERE`,
		"at its begin":                `when: HERE && true`,
		"on two lines":                "when: 1 < 2 &&\n          HERE || true",
		"after an empty line":         "when: 1 < 2 &&\n\n          HERE || true",
		"single quotes":               `when: 'a == ''b'' && HERE'`,
		"double quotes":               `when: "a == \"b\\\" && \x41\u00e9 && HERE"`,
		"double quotes with spaces":   `when: "a\n\t\x20\  && HERE"`,
		"double quotes on two lines":  "when: \"a == \\\n          'b' && HERE\"",
		"letters of two bytes":        `when: "'é€𝄞' == 'é' && HERE"`,
		"a block":                     "when: |\n          1 < 2 &&\n            HERE\n          && true",
		"a block told its depth":      "when: |2-\n            1 < 2 &&\n          HERE",
		"a folded block":              "when: >-\n          1 < 2 &&\n          HERE &&\n\n          true",
		"in a flow":                   `{when: '1 < 2 && HERE'}`,
		"after letters of many bytes": `{reason: "é€𝄞", when: "x && HERE"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "version: 1\nroutes:\n  - name: x\n    match: GET /x\n    upstream: x\n    allow:\n      - " + when + "\n"
			doc, err := Load(fstest.MapFS{"a.yaml": file(text)}, noEnvironment)
			must(t, err)
			v := doc.Routes[0].Allow[0].When
			at := doc.Within(v, strings.Index(v.V, "HERE"))
			before, _, _ := strings.Cut(text, "HERE")
			line := 1 + strings.Count(before, "\n")
			column := 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))
			if at != (Pos{"a.yaml", line, column}) {
				t.Errorf("found at %s, it is at %d:%d; the text is %q", at, line, column, v.V)
			}
			if end := doc.Within(v, len(v.V)); end.Line < at.Line {
				t.Errorf("the end is at %s", end)
			}
			for offset := -1; offset < len(v.V)+2; offset++ {
				if got := doc.Within(v, offset); got.Line < v.Pos.Line {
					t.Errorf("offset %d is at %s", offset, got)
				}
			}
		})
	}
}
