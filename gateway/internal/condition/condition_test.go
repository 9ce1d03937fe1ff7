package condition_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/condition"
	"portcullis/gateway/internal/pipeline"
)

func compiler(t testing.TB) *condition.Compiler {
	t.Helper()
	c, err := condition.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scope is what the tests' conditions may speak of.
func scope() condition.Scope {
	return condition.Scope{Params: []string{"user", "note"}, Claims: map[string]token.ClaimType{
		"tenant": token.ClaimText, "groups": token.ClaimTexts, "level": token.ClaimNumber, "staff": token.ClaimTruth,
	}}
}

func compile(t testing.TB, text string) *condition.Condition {
	t.Helper()
	c, err := compiler(t).Compile(text, scope())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// request is one that has a bit of everything.
func request() *pipeline.Transaction {
	r := httptest.NewRequest(http.MethodPost, "/v1/users/u-9/notes/n-1?page=2&tag=a&tag=b", strings.NewReader(`{"text":"x"}`))
	r.Header = http.Header{"Content-Type": {"Application/JSON; charset=utf-8"}, "X-Partner": {"acme"}, "X-Twice": {"a", "b"}, "Authorization": {"Bearer secret"}}
	tx := &pipeline.Transaction{
		Request: r, Start: time.Date(2026, 11, 25, 12, 30, 0, 0, time.UTC), Host: "api.hotel.test", Path: "/v1/users/u-9/notes/n-1",
		Params: pipeline.Params{{Name: "user", Value: "u-9"}, {Name: "note", Value: "n-1"}}, Source: netip.MustParseAddr("192.0.2.7"),
		Route: &pipeline.Route{Name: "write-note", Upstream: "notes", Methods: []string{http.MethodPost}},
		Principal: &token.Principal{
			Subject: "u-7", Client: "kiosk", Issuer: "hotel", Actor: "desk", Scopes: []string{"notes:read", "notes:write"},
			Claims: map[string]any{"tenant": "acme", "groups": []string{"staff", "admin"}, "level": int64(500), "staff": true},
		},
	}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		panic(err) // it is our own
	}
	return tx
}

func TestEveryVariableIsWhatTheRequestHas(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"request.method == 'POST'",
		"request.path == '/v1/users/u-9/notes/n-1'",
		"request.host == 'api.hotel.test'",
		"request.content_type == 'application/json'",
		"request.size == 12",
		"request.time == timestamp('2026-11-25T12:30:00Z')",
		"request.time.getHours() == 12",
		"request.time.getHours('Europe/Helsinki') == 14",
		"request.headers['x-partner'] == 'acme'",
		"'x-partner' in request.headers && !('x-other' in request.headers)",
		"'x-twice' in request.headers",
		"request.headers.exists(name, name == 'x-partner')",
		"!request.headers.exists(name, name == 'X-Partner')",
		"size(request.headers) == 4",
		"has(request.headers.authorization)",
		"request.query['page'] == '2'",
		"request.query.page == '2'",
		"int(request.query['page']) < 10",
		"source.ip == '192.0.2.7'",
		"source.ip != '192.0.2.10'",
		"token.sub == 'u-7'",
		"token.client in ['kiosk', 'desk']",
		"token.issuer == 'hotel'",
		"token.actor == 'desk'",
		"'notes:write' in token.scopes",
		"!('notes' in token.scopes)",
		"token.scopes.all(s, s.startsWith('notes:'))",
		"token.scopes == ['notes:read', 'notes:write']",
		"size(token.scopes) == 2 && token.scopes[0] == 'notes:read'",
		"token.scopes + ['x'] == ['notes:read', 'notes:write', 'x']",
		"token.tenant == 'acme'",
		"'admin' in token.groups",
		"token.level >= 500 && token.level < 501",
		"token.staff",
		"token.claims == ['groups', 'level', 'staff', 'tenant']",
		"'tenant' in token.claims",
		"route.name == 'write-note' && route.upstream == 'notes'",
		"params.user == 'u-9' && params.note == 'n-1'",
		"token.sub != params.user",
		"request.path.matches('^/v1/users/u-[0-9]+/')",
		"request.path.contains('/users/') && request.path.endsWith(params.note)",
		"(token.staff ? 'u-9' : 'u-7') == params.user",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			c, tx := compile(t, text), request()
			for range 3 { // what is pooled must not remember
				if got := c.State(tx); got != pipeline.Holds {
					t.Errorf("%v for %s", got, text)
				}
			}
			if got := compile(t, "!("+text+")").State(tx); got != pipeline.Fails {
				t.Errorf("its opposite %v", got)
			}
		})
	}
}

func TestWhatCannotBeEvaluatedIsNeitherTrueNorFalse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		change func(tx *pipeline.Transaction)
		want   pipeline.State
	}{
		"a claim that is absent":            {"token.tenant == 'acme'", withoutClaims, pipeline.Broken},
		"and its absence":                   {"token.tenant != 'acme'", withoutClaims, pipeline.Broken},
		"a claim of another type":           {"token.tenant == 'acme'", func(tx *pipeline.Transaction) { tx.Principal.Claims = map[string]any{"tenant": nil} }, pipeline.Broken},
		"which is not among the claims":     {"'tenant' in token.claims", func(tx *pipeline.Transaction) { tx.Principal.Claims = map[string]any{"tenant": nil} }, pipeline.Fails},
		"a claim that was asked for first":  {"'tenant' in token.claims && token.tenant == 'acme'", withoutClaims, pipeline.Fails},
		"a header that is absent":           {"request.headers['x-other'] != 'acme'", nil, pipeline.Broken},
		"a header that stands twice":        {"request.headers['x-twice'] == 'a'", nil, pipeline.Broken},
		"also when a macro goes through it": {"request.headers.exists(n, n == 'x-twice' && request.headers[n] == 'a')", nil, pipeline.Broken},
		"a parameter that stands twice":     {"request.query['tag'] == 'a'", nil, pipeline.Broken},
		"a second Content-Type": {"request.content_type == 'text/plain'", func(tx *pipeline.Transaction) {
			tx.Request.Header["Content-Type"] = []string{"text/plain", "text/html"}
		}, pipeline.Broken},
		"no Content-Type is an empty one":               {"request.content_type == ''", func(tx *pipeline.Transaction) { delete(tx.Request.Header, "Content-Type") }, pipeline.Holds},
		"a text that is no number":                      {"int(request.headers['x-partner']) == 1", nil, pipeline.Broken},
		"nobody":                                        {"token.sub == 'u-7'", func(tx *pipeline.Transaction) { tx.Principal = nil }, pipeline.Broken},
		"not even nobody's scopes":                      {"!('admin' in token.scopes)", func(tx *pipeline.Transaction) { tx.Principal = nil }, pipeline.Broken},
		"a list that ends before":                       {"token.scopes[7] == 'x'", nil, pipeline.Broken},
		"a sum that has no room":                        {"request.size + 9223372036854775807 > 0", nil, pipeline.Broken},
		"false beside what is broken is false":          {"token.tenant == 'acme' && token.sub == 'u-9'", withoutClaims, pipeline.Fails},
		"true beside what is broken is broken":          {"token.tenant == 'acme' && token.sub == 'u-7'", withoutClaims, pipeline.Broken},
		"true or what is broken is true":                {"token.tenant == 'acme' || token.sub == 'u-7'", withoutClaims, pipeline.Holds},
		"a length that is not announced is an error":    {"request.size < 900", func(tx *pipeline.Transaction) { tx.Request.ContentLength = -1 }, pipeline.Broken},
		"HEAD is GET where the route has none":          {"request.method == 'GET'", func(tx *pipeline.Transaction) { tx.Request.Method, tx.Route.Methods = "HEAD", []string{"GET", "POST"} }, pipeline.Holds},
		"HEAD is HEAD where the route has it":           {"request.method == 'HEAD'", func(tx *pipeline.Transaction) { tx.Request.Method, tx.Route.Methods = "HEAD", []string{"GET", "HEAD"} }, pipeline.Holds},
		"header names are lower case, in variables too": {"request.headers[params.note] == 'x'", func(tx *pipeline.Transaction) { tx.Params[1].Value = "X-Partner" }, pipeline.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := request()
			if c.change != nil {
				c.change(tx)
			}
			if got := compile(t, c.text).State(tx); got != c.want {
				t.Errorf("%s is %v, want %v", c.text, got, c.want)
			}
		})
	}
}

func withoutClaims(tx *pipeline.Transaction) { tx.Principal.Claims = nil }

// Two requests of two people must never meet in what is pooled.
func TestConditionsOfManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	c := compile(t, "token.sub == params.user && token.tenant == params.note && source.ip == request.host")
	for _, name := range []string{"a", "b", "c", "d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := request()
			tx.Principal.Subject, tx.Principal.Claims = name, map[string]any{"tenant": name + name}
			tx.Params = pipeline.Params{{Name: "user", Value: name}, {Name: "note", Value: name + name}}
			tx.Source, tx.Host = netip.MustParseAddr("2001:db8::"+name), "2001:db8::"+name
			for range 2000 {
				if got := c.State(tx); got != pipeline.Holds {
					t.Fatalf("%v", got)
				}
			}
		})
	}
}
