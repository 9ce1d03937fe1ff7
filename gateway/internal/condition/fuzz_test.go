package condition

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

// FuzzCondition feeds whatever text compiles with whatever request: nothing may
// panic (CEL would turn that into an error, so it is looked for there), and the
// explanation must come to what was decided.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		"token.client == 'kiosk' && source.ip != '192.0.2.10'",
		"'notes:write' in token.scopes && token.sub == params.user",
		"token.tenant == 'acme' || !token.staff && token.level > 5",
		"request.headers.exists(n, n.startsWith('x-') && request.headers[n] == 'a')",
		"request.query['a'].matches('^[a-z]+$') ? token.groups[0] == 'x' : size(token.scopes) > 1",
		"request.time.getHours('Europe/Helsinki') > 8 && request.time < timestamp('2030-01-01T00:00:00Z')",
		"(token.staff && request.size / token.level > 1) && request.content_type in ['a/b', 'c/d']",
		"token.groups.map(g, g + 'x').filter(g, g in token.scopes).exists_one(g, true)",
		"{'a': 1}[token.sub] == 1 && [1, 2][request.size] == 2 && type(request.headers) == map",
		"request.headers == request.query || request.headers == {'a': 'b'} || dyn(token.scopes) == dyn(1)",
		"string(request.size) + token.sub == b'x'.size() + 'y'",
	} {
		f.Add(text, "u-7", "/v1/x", "a=1&b=2&b=3", "X-A: 1\nX-B: 2\nx-b: 3", int64(5), byte(0))
		f.Add(text, "", "", "%zz;", "", int64(-1), byte(1))
	}
	compiler, err := New()
	if err != nil {
		f.Fatal(err)
	}
	scope := Scope{Params: []string{"user"}, Claims: map[string]token.ClaimType{
		"tenant": token.ClaimText, "groups": token.ClaimTexts, "level": token.ClaimNumber, "staff": token.ClaimTruth,
	}}
	f.Fuzz(func(t *testing.T, text, name, path, query, header string, number int64, who byte) {
		c, err := compiler.Compile(text, scope)
		if err != nil {
			for _, m := range err.(Mistakes) {
				if m.Offset < 0 || m.Offset > len(text) || m.What == "" {
					t.Errorf("the mistake %+v is not in the text", m)
				}
			}
			return
		}
		tx := &pipeline.Transaction{
			Request: &http.Request{Method: name, URL: &url.URL{}, Header: http.Header{}, ContentLength: number},
			Start:   time.Unix(number, 0), Path: path, Host: name, Params: pipeline.Params{{Name: "user", Value: name}},
		}
		_ = tx.ReadQuery(query) // what cannot be read is none
		for line := range strings.Lines(header) {
			key, value, _ := strings.Cut(line, ":")
			tx.Request.Header.Add(key, value)
		}
		if who&1 == 0 {
			tx.Principal = &token.Principal{Subject: name, Client: path, Scopes: []string{name, query}, Claims: map[string]any{
				"tenant": name, "groups": []string{name}, "level": number, "staff": number > 0,
			}}
			if who&2 != 0 {
				tx.Principal.Claims = map[string]any{"tenant": nil, "level": nil}
			}
			tx.Source, tx.Route = netip.AddrFrom4([4]byte{192, 0, 2, who}), &pipeline.Route{Name: name}
		}
		if _, _, err := c.program.Eval(&values{tx: tx}); err != nil && strings.HasPrefix(err.Error(), "internal error") {
			t.Fatalf("%s: %v", text, err)
		}
		decided, explained := c.State(tx), pipeline.Holds
		for _, p := range c.Explain(tx, func(string) bool { return true }) {
			if explained == pipeline.Holds || p.State == pipeline.Fails {
				explained = p.State
			}
			if p.Offset < 0 || p.Offset > len(text) {
				t.Errorf("a conjunct at %d of %q", p.Offset, text)
			}
		}
		if decided != explained {
			t.Errorf("%q is %v and explained as %v", text, decided, explained)
		}
	})
}
