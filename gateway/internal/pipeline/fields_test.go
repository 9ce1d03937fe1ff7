package pipeline_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

func TestFieldsAreSetAndRemovedByWhateverCase(t *testing.T) {
	t.Parallel()
	f, err := pipeline.NewFields([]pipeline.Field{{Name: "referrer-POLICY", Value: "no-referrer"}}, []string{"x-powered-BY"})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"X-Powered-By": {"a", "b"}, "Referrer-Policy": {"origin", "same-origin"}, "Date": {"today"}}
	f.Remove(h)
	f.Set(h)
	if diff := cmp.Diff(http.Header{"Referrer-Policy": {"no-referrer"}, "Date": {"today"}}, h); diff != "" {
		t.Error(diff)
	}
	if !f.Names("X-Powered-By") || !f.Names("Referrer-Policy") || f.Names("Date") {
		t.Error("it names others than it was given")
	}
}

func TestFieldsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ name, value string }{
		"a value that begins another field": {"X-A", "CANARY\r\nSet-Cookie: a=b"},
		"one with a bare line feed":         {"X-A", "CANARY\nb"},
		"one with NUL":                      {"X-A", "CANARY\x00"},
		"one with an escape of a terminal":  {"X-A", "CANARY\x1b[31m"},
		"one beyond ASCII":                  {"X-A", "CANARYé"},
		"a name with a space":               {"X A", "CANARY"},
		"a name with a colon":               {"X-A: b\r\nX-B", "CANARY"},
		"no name":                           {"", "CANARY"},
		"what frames a message":             {"content-LENGTH", "CANARY"},
		"what frames it in chunks":          {"Transfer-Encoding", "CANARY"},
		"what belongs to the connection":    {"connection", "CANARY"},
		"what changes the protocol":         {"Upgrade", "CANARY"},
		"who is asked":                      {"Host", "CANARY"},
		"the number of the request":         {"X-Request-ID", "CANARY"},
		"who calls":                         {"portcullis-subject", "CANARY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pipeline.NewFields([]pipeline.Field{{Name: c.name, Value: c.value}}, nil)
			if err == nil {
				t.Fatalf("%q: %q was taken", c.name, c.value)
			}
			if strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error quotes the value: %v", err)
			}
		})
	}
	if _, err := pipeline.NewFields(nil, []string{"Transfer-Encoding"}); err == nil {
		t.Error("what frames a message can be removed")
	}
}
