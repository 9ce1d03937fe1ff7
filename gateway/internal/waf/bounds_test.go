package waf

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// denied is what Profile.bounded says of a request, as a code.
func denied(t testing.TB, r *http.Request, body string) problem.Code {
	t.Helper()
	profile, err := Profile{Name: "json-api"}.complete()
	if err != nil {
		t.Fatal(err)
	}
	tx := &pipeline.Transaction{Request: r}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		t.Fatal(err)
	}
	_, err = profile.bounded(tx, []byte(body))
	if err == nil {
		return ""
	}
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		t.Fatalf("not a problem: %v", err)
	}
	return p.Code
}

func list(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
}

func TestBounds(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	pairs := func(n int) string { return strings.TrimSuffix(strings.Repeat("a=1&", n), "&") }
	headers := func(n int) http.Header {
		h := http.Header{}
		for i := range n {
			h.Add("X-"+fmt.Sprint(i%7), "1")
		}
		return h
	}
	for name, tc := range map[string]struct {
		header      http.Header
		query       string
		media, body string
		want        problem.Code
	}{
		"255 parameters pass":                            {query: pairs(255)},
		"256 parameters are refused":                     {query: pairs(256), want: problem.BadRequest},
		"empty parameters are none":                      {query: strings.Repeat("&", 1000)},
		"255 form fields pass":                           {media: form, body: pairs(255)},
		"256 form fields are refused":                    {media: form, body: pairs(256), want: problem.BadRequest},
		"query and form count together":                  {query: pairs(128), media: form, body: pairs(128), want: problem.BadRequest},
		"a list of 254 and its length pass":              {media: jsonMedia, body: list(254)},
		"a list of 255 and its length are refused":       {media: jsonMedia, body: list(255), want: problem.BadRequest},
		"query and JSON count together":                  {query: pairs(2), media: jsonMedia, body: list(254), want: problem.BadRequest},
		"20 levels of JSON pass":                         {media: jsonMedia, body: nested(20)},
		"21 levels of JSON are refused":                  {media: jsonMedia, body: nested(21), want: problem.BadRequest},
		"a bomb of brackets is refused":                  {media: jsonMedia, body: strings.Repeat("[", 60_000), want: problem.BadRequest},
		"a vendor's JSON is counted as JSON":             {media: "application/vnd.hotel+json", body: list(255), want: problem.BadRequest},
		"JSON that breaks off is refused":                {media: jsonMedia, body: `{"note":"`, want: problem.BadRequest},
		"JSON with something after it is refused":        {media: jsonMedia, body: `{} <script>`, want: problem.BadRequest},
		"a body without a type is refused":               {body: "a=1", want: problem.UnsupportedMedia},
		"a type that cannot be read is refused":          {media: "application/json; =", body: "{}", want: problem.UnsupportedMedia},
		"a type with another's prefix is refused":        {media: "application/jsonp", body: "{}", want: problem.UnsupportedMedia},
		"two types are refused":                          {header: http.Header{"Content-Type": {jsonMedia, form}}, body: "{}", want: problem.UnsupportedMedia},
		"multipart is refused":                           {media: "multipart/form-data; boundary=x", body: "--x--", want: problem.UnsupportedMedia},
		"XML is refused":                                 {media: "application/xml", body: "<a/>", want: problem.UnsupportedMedia},
		"a type without a body is no matter":             {media: "application/xml"},
		"100 header fields pass":                         {header: headers(100)},
		"101 header fields are refused, repeated or not": {header: headers(101), want: problem.HeadersTooLarge},
		"256 cookies are refused":                        {header: http.Header{"Cookie": {strings.Repeat("a=1;", 256)}}, want: problem.HeadersTooLarge},
		"cookies are counted over all fields":            {header: http.Header{"Cookie": {strings.Repeat("a=1;", 200), strings.Repeat("b=1;", 200)}}, want: problem.HeadersTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Header: tc.header, URL: &url.URL{Path: "/", RawQuery: tc.query}}
			if tc.media != "" {
				r.Header = http.Header{"Content-Type": {tc.media}}
			}
			if got := denied(t, r, tc.body); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("trailers, which come after inspection, are refused", func(t *testing.T) {
		r := &http.Request{URL: &url.URL{Path: "/"}, Trailer: http.Header{"X-Sum": nil}}
		if got := denied(t, r, ""); got != problem.BadRequest {
			t.Errorf("got %q", got)
		}
	})
}

func TestMeasureCountsWhatTheEngineMakes(t *testing.T) {
	for text, want := range map[string]size{
		`{}`:                      {0, 1},
		`[]`:                      {0, 1},
		`{"a":1,"b":"x"}`:         {2, 1},
		`[1,2,3]`:                 {4, 1}, // and the list's length
		`[[],{}]`:                 {1, 2},
		`{"a":{"b":[true,null]}}`: {3, 3},
		`"x:y,z"`:                 {2, 0}, // a scalar is taken for a list of one
		`7`:                       {2, 0},
		`{"a\":\"b":"c"}`:         {1, 1},
		` [ "a" , -1.5e3 ] `:      {3, 1},
	} {
		got, ok := measure([]byte(text), MaxArgs, MaxDepth)
		if got != want || !ok {
			t.Errorf("%s: %+v, %v, want %+v", text, got, ok, want)
		}
	}
}

// walk is the engine's own way of counting, over a parsed text.
func walk(v any) (args, depth int) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			a, d := walk(member)
			args, depth = args+a, max(depth, d)
		}
		return args, depth + 1
	case []any:
		for _, element := range v {
			a, d := walk(element)
			args, depth = args+a, max(depth, d)
		}
		if len(v) > 0 {
			args++
		}
		return args, depth + 1
	default:
		return 1, 0
	}
}

// For every valid JSON text the count is never below what the engine makes of
// it (a parsed text has lost repeated members, hence may have fewer), the depth
// is exact, and nothing else panics or counts below zero.
func FuzzMeasure(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\"c\\"}]}`, `[[[[]]]]`, `"x"`, `-1`, `{"a"`, `:::`, `"":""`, `]`, `[1 2]`, `{"a":1}}`, "\x00", `"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		const unbounded = 1 << 30
		got, ok := measure(text, unbounded, unbounded)
		if got.args < 0 || got.depth < 0 {
			t.Fatalf("%q: %+v", text, got)
		}
		var v any
		if json.Unmarshal(text, &v) != nil {
			return
		}
		args, depth := walk(v)
		if !ok || got.args < args || got.depth != depth {
			t.Fatalf("%q: counted %+v, %v, the engine makes %d at depth %d", text, got, ok, args, depth)
		}
		bounded, _ := measure(text, MaxArgs, defaultDepth)
		if (got.args > MaxArgs || got.depth > defaultDepth) != (bounded.args > MaxArgs || bounded.depth > defaultDepth) {
			t.Fatalf("%q: stopping early changes the verdict: %+v, %+v", text, got, bounded)
		}
	})
}

func TestBoundsCostNoAllocation(t *testing.T) {
	profile, err := Profile{Name: "json-api"}.complete()
	if err != nil {
		t.Fatal(err)
	}
	tx := request("GET", "/v1/hotels?city=Helsinki&guests=2", "", "")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := profile.bounded(tx, nil); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
