package edge

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

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
		"nor is its padding an equals sign":      {"Q0FOQVJZIENBTkFSWQ==&q=", "REDACTED=REDACTED&q=REDACTED"},
		"an escaped equals sign makes no name":   {"t%3DCANARY", "REDACTED"},
		"a listed name may stand alone":          {"near", "near"},
		"a name longer than a name is a value":   {strings.Repeat("CANARY", 20) + "=", "REDACTED=REDACTED"},
		"a list is not followed in another case": {"CITY=CANARY", "CITY=REDACTED"},
		"empty parts are none":                   {"city=Oulu&&near=", "city=Oulu&near="},
		"a listed name may be escaped":           {"c%69ty=Oulu", "c%69ty=Oulu"},
		"a listed value has a bound":             {"city=" + strings.Repeat("a", 300), "city=" + strings.Repeat("a", 256) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := &pipeline.Transaction{Route: route, Request: httptest.NewRequest("GET", "/?"+c.raw, nil)}
			if err := tx.ReadQuery(c.raw); err != nil {
				t.Fatal(err)
			}
			if got := visibleQuery(tx); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for raw, want := range map[string]string{"city=CANARY": "city=REDACTED", "city=CANARY;near=%zz&CANARY": "city=REDACTED&REDACTED"} {
		refused := &pipeline.Transaction{Route: route, Request: httptest.NewRequest("GET", "/?"+raw, nil)}
		if got := visibleQuery(refused); got != want {
			t.Errorf("a query that was refused shows %q, want %q", got, want)
		}
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

func TestAnEventTellsWhatShadowsWouldHaveDone(t *testing.T) {
	t.Parallel()
	line := func(tx *pipeline.Transaction, o *outcome) map[string]any {
		t.Helper()
		tx.Request = httptest.NewRequest("GET", "/a", nil)
		var event map[string]any
		if err := json.Unmarshal(appendEvent(nil, tx, o), &event); err != nil {
			t.Fatal(err)
		}
		return event["portcullis"].(map[string]any)
	}
	kiosk := pipeline.Shadow{Stage: "authorize", Rule: "kiosk", Place: "routes/search.yaml:12", Would: pipeline.Deny}
	got := line(&pipeline.Transaction{Shadows: []pipeline.Shadow{kiosk, {Stage: "inspect", Rule: "waf:strict:942100\"", Would: pipeline.Allow}}}, &outcome{})["shadow"]
	want := []any{
		map[string]any{"stage": "authorize", "rule": "kiosk", "place": "routes/search.yaml:12", "would": "deny"},
		map[string]any{"stage": "inspect", "rule": "waf:strict:942100\"", "would": "allow"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	many := &pipeline.Transaction{Route: &pipeline.Route{}}
	for range 100 {
		many.WouldHave(pipeline.Shadow{Stage: "source-limit", Rule: strings.Repeat("a", 10_000)})
	}
	if got := line(many, &outcome{})["shadow"].([]any); len(got) != maxShadows || len(got[0].(map[string]any)["rule"].(string)) > maxAgent+3 {
		t.Errorf("%d entries, the first %v", len(got), got[0])
	}
	if _, ok := line(&pipeline.Transaction{Route: &pipeline.Route{}}, &outcome{})["shadow"]; ok {
		t.Error("without shadows there is an entry")
	}
}

func TestAnEventTellsThePathAnUpstreamWasAsked(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/api/a", nil)
	tx := &pipeline.Transaction{Request: r, Path: "/api/a", Route: &pipeline.Route{}}
	if line := string(appendEvent(nil, tx, &outcome{result: pipeline.Result{Path: "/a"}})); !strings.Contains(line, `"url.path":"/api/a"`) || !strings.Contains(line, `"upstream_path":"/a"`) {
		t.Error(line)
	}
	if line := string(appendEvent(nil, tx, &outcome{})); strings.Contains(line, "upstream_path") {
		t.Error(line)
	}
}

func TestTheTimeOfAnEventIsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Date(2026, 11, 26, 7, 8, 9, 123_456_789, time.UTC), time.Date(2027, 1, 1, 1, 0, 0, 1000, time.FixedZone("east", 7200)),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := string(stamp(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
