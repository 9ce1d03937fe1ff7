package edge

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"portcullis/gateway/internal/pipeline"
)

func TestVisibleQuery(t *testing.T) {
	t.Parallel()
	route := &pipeline.Route{Queries: []string{"city", "near"}}
	for name, c := range map[string]struct{ raw, want string }{
		"a listed value is kept":                 {"city=Helsinki", "city=Helsinki"},
		"any other is not":                       {"access_token=CANARY", "access_token=REDACTED"},
		"nor one beside it":                      {"city=Oulu&t=CANARY&near=sea", "city=Oulu&t=REDACTED&near=sea"},
		"nor what has an equals sign of its own": {"t=CANARY=CANARY", "t=REDACTED"},
		"what has no name is a value":            {"CANARY", "REDACTED"},
		"an escaped equals sign makes no name":   {"t%3DCANARY", "REDACTED"},
		"a listed name may stand alone":          {"near", "near"},
		"a name longer than a name is a value":   {strings.Repeat("CANARY", 20) + "=", "REDACTED=REDACTED"},
		"a list is not followed in another case": {"CITY=CANARY", "CITY=REDACTED"},
		"empty parts stay empty":                 {"city=Oulu&&near=", "city=Oulu&&near="},
		"a listed value has a bound":             {"city=" + strings.Repeat("a", 300), "city=" + strings.Repeat("a", 256) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := visibleQuery(c.raw, route); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := visibleQuery("city=CANARY", nil); got != "city=REDACTED" {
		t.Errorf("without a route nothing is listed, yet: %q", got)
	}
}

func TestTraceID(t *testing.T) {
	t.Parallel()
	const id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"a valid field names the trace":      {[]string{"00-" + id + "-" + parent + "-01"}, id},
		"no field names none":                {nil, ""},
		"two fields name none":               {[]string{"00-" + id + "-" + parent + "-01", "00-" + id + "-" + parent + "-01"}, ""},
		"a later version is not passed on":   {[]string{"01-" + id + "-" + parent + "-01"}, ""},
		"a longer field is not passed on":    {[]string{"00-" + id + "-" + parent + "-01-x"}, ""},
		"zeros are no trace":                 {[]string{"00-" + strings.Repeat("0", 32) + "-" + parent + "-01"}, ""},
		"zeros are no parent":                {[]string{"00-" + id + "-" + strings.Repeat("0", 16) + "-01"}, ""},
		"capitals are no hex here":           {[]string{"00-" + strings.ToUpper(id) + "-" + parent + "-01"}, ""},
		"flags that are no hex are no flags": {[]string{"00-" + id + "-" + parent + "-\"\""}, ""},
		"a field of the right length alone":  {[]string{strings.Repeat("-", 55)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := traceID(http.Header{"Traceparent": c.fields}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\", "a\nb\x00\x7f", "\xff\xc0\xaf", "\u2028é\U0001f600"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := quote(nil, s)
		var got string
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q became %q: %v", s, line, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); utf8.ValidString(s) && got != want {
			t.Errorf("%q became %q", s, got)
		}
		if strings.ContainsAny(string(line), "\n\r\x00\x1b") {
			t.Errorf("%q breaks the line: %q", s, line)
		}
	})
}
