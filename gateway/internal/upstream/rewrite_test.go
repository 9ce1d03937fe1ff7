package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// sees has the route show its upstream what o says.
func sees(o RouteOptions) func(*gate) { return func(g *gate) { g.sees = o } }

func mustFields(t testing.TB, set []pipeline.Field, remove ...string) pipeline.Fields {
	t.Helper()
	f, err := NewFields(set, remove)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tells is a backend that tells the target and the fields it is asked with.
func tells(t *testing.T) (*backend, chan *http.Request) {
	asked := make(chan *http.Request, 8)
	return script(t, func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			_, _ = io.Copy(io.Discard, r.Body)
			asked <- r
			p.say(ok)
		}
	}), asked
}

func TestTheUpstreamSeesTheRewrittenPath(t *testing.T) {
	template := func(text, pattern string) pipeline.Template {
		made, err := pipeline.NewTemplate(text, pattern)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for name, c := range map[string]struct {
		options RouteOptions
		params  pipeline.Params
		asked   string
		want    string
		told    string // Result.Path
	}{
		"as it was asked, where nothing is said":  {RouteOptions{}, nil, "/api/caf%C3%A9?q=%2F", "/api/caf%C3%A9?q=%2F", ""},
		"without the prefix":                      {RouteOptions{StripPrefix: "/api"}, nil, "/api/v1/a?b=/api", "/v1/a?b=/api", "/v1/a"},
		"with what was escaped":                   {RouteOptions{StripPrefix: "/api"}, nil, "/api/caf%C3%A9/a%20b", "/caf%C3%A9/a%20b", "/caf%C3%A9/a%20b"},
		"as the root, where nothing is left":      {RouteOptions{StripPrefix: "/api"}, nil, "/api", "/", "/"},
		"whole, where a segment only begins so":   {RouteOptions{StripPrefix: "/api"}, nil, "/apis/a", "/apis/a", ""},
		"as the template, with its parameters":    {RouteOptions{Path: template("/v2/{x}", "/v1/{x}")}, pipeline.Params{{Name: "x", Value: "n-1"}}, "/v1/n-1?b=c", "/v2/n-1?b=c", "/v2/n-1"},
		"in one spelling, whatever was decoded":   {RouteOptions{Path: template("/v2/{x}", "/v1/{x}")}, pipeline.Params{{Name: "x", Value: "a[b] é"}}, "/v1/x", "/v2/a%5Bb%5D%20%C3%A9", "/v2/a%5Bb%5D%20%C3%A9"},
		"as one segment and no query":             {RouteOptions{Path: template("/v2/{x}", "/v1/{x}")}, pipeline.Params{{Name: "x", Value: "a?b#c/../d"}}, "/v1/x", "/v2/a%3Fb%23c%2F..%2Fd", "/v2/a%3Fb%23c%2F..%2Fd"},
		"without another request behind the path": {RouteOptions{Path: template("/v2/{x}", "/v1/{x}")}, pipeline.Params{{Name: "x", Value: "a HTTP/1.1\r\nX: 1"}}, "/v1/x", "/v2/a%20HTTP%2F1.1%0D%0AX%3A%201", "/v2/a%20HTTP%2F1.1%0D%0AX%3A%201"},
	} {
		t.Run(name, func(t *testing.T) {
			b, asked := tells(t)
			g := front(t, Config{Endpoints: urls(b)}, sees(c.options), func(g *gate) {
				g.prep = func(tx *pipeline.Transaction) { tx.Params = c.params }
			})
			for range 2 { // the exchange of the second is the first's
				text(t, g.do(t, "GET", c.asked, nil))
				want(t, "the target", (<-asked).RequestURI, c.want)
				want(t, "what the event is told", g.last(t).result.Path, c.told)
			}
		})
	}
}

func TestPrefixesThatCannotBeStripped(t *testing.T) {
	for name, prefix := range map[string]string{
		"none of the pattern's": "/v2", "half a segment": "/ap", "one with a parameter": "/api/{x}", "one that ends with a slash": "/api/",
		"one without a slash": "api", "more than the pattern": "/api/{x}/a", "the root": "/", "nothing": "",
	} {
		if _, err := NewStripPrefix(prefix, "/api/{x}"); err == nil {
			t.Errorf("%s, %q, was taken", name, prefix)
		}
	}
	for _, pattern := range []string{"/api", "/api/{x}", "/api/*"} {
		if _, err := NewStripPrefix("/api", pattern); err != nil {
			t.Error(err)
		}
	}
}

func TestTheUpstreamSeesTheFieldsOfTheRoute(t *testing.T) {
	b, asked := tells(t)
	g := front(t, Config{Endpoints: urls(b)}, sees(RouteOptions{Fields: mustFields(t, []pipeline.Field{
		{Name: "x-TENANT", Value: "hotel"}, {Name: "Authorization", Value: "Basic c2VjcmV0"},
	}, "X-Debug", "user-agent", "Idempotency-Key")}))
	res := g.do(t, "POST", "/x", strings.NewReader("a"), "X-Tenant", "evil", "X-Tenant", "worse", "X-Debug", "1", "User-Agent", "curl",
		"Idempotency-Key", "k", "X-Idempotency-Key", "k", "Authorization", "Bearer of the caller", "X-Other", "kept")
	text(t, res)
	r := <-asked
	for name, value := range map[string]string{
		"X-Tenant": "hotel", "Authorization": "Basic c2VjcmV0", "X-Debug": "", "User-Agent": "", "Idempotency-Key": "", "X-Idempotency-Key": "k",
		"X-Other": "kept", "X-Forwarded-For": "192.0.2.7",
	} {
		if got := strings.Join(r.Header[name], "|"); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

// A backend may merge trailers into the header.
func TestNoTrailerBringsBackWhatTheRouteTakesAway(t *testing.T) {
	saw := make(chan http.Header, 1)
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		r := p.next()
		_, _ = io.Copy(io.Discard, r.Body)
		saw <- r.Trailer
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Inner, X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Inner: 1\r\nX-Sum: 2\r\nAccess-Control-Allow-Origin: *\r\n\r\n")
	}))}, sees(RouteOptions{Fields: mustFields(t, []pipeline.Field{{Name: "X-Tenant", Value: "hotel"}}, "X-Debug")}), func(g *gate) {
		response, err := pipeline.NewFields(nil, []string{"X-Inner"})
		if err != nil {
			t.Fatal(err)
		}
		cors, err := pipeline.NewCORS(pipeline.CORSConfig{Origins: []string{"https://app.hotel.test"}})
		if err != nil {
			t.Fatal(err)
		}
		g.route.Response, g.route.CORS = response, cors
	})
	c := g.dial(t)
	c.say("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Debug, X-Tenant, X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Debug: 1\r\nX-Tenant: evil\r\nX-Sum: 3\r\n\r\n")
	want(t, "the request's", <-saw, "map[X-Sum:[3]]")
	res, _, err := c.answer("POST")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the answer's", res.Trailer, "map[X-Sum:[2]]")
}

func TestTheAnswerHasTheFieldsOfTheRoute(t *testing.T) {
	const answer = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX-Inner: 1\r\nAccess-Control-Allow-Origin: *\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVary: Accept-Encoding, origin\r\nX-Inner: 1\r\nReferrer-Policy: unsafe-url\r\n" +
		"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\n\r\nok"
	g := front(t, Config{Endpoints: urls(script(t, always(answer)))}, func(g *gate) {
		var err error
		if g.route.Response, err = pipeline.NewFields([]pipeline.Field{{Name: "Referrer-Policy", Value: "no-referrer"}}, []string{"x-inner"}); err != nil {
			t.Fatal(err)
		}
		if g.route.CORS, err = pipeline.NewCORS(pipeline.CORSConfig{Origins: []string{"https://app.hotel.test"}}); err != nil {
			t.Fatal(err)
		}
	})
	for origin, allowed := range map[string]string{"https://app.hotel.test": "https://app.hotel.test", "https://evil.example": "", "null": ""} {
		c := g.dial(t)
		c.say("GET /x HTTP/1.1\r\nHost: h\r\nOrigin: " + origin + "\r\n\r\n")
		hint, _, err := c.answer("GET")
		if err != nil || hint.StatusCode != 103 || hint.Header.Get("Link") == "" || hint.Header.Get("X-Inner")+hint.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the hint is %+v, %v", hint, err)
		}
		res, _, err := c.answer("GET")
		if err != nil {
			t.Fatal(err)
		}
		h := res.Header
		want(t, "who may read, for "+origin, h.Get("Access-Control-Allow-Origin"), allowed)
		want(t, "which fields it may send", h.Get("Access-Control-Allow-Headers"), "")
		want(t, "what it varies by", strings.Join(h["Vary"], "|"), "Accept-Encoding, origin")
		want(t, "what is set", strings.Join(h["Referrer-Policy"], "|"), "no-referrer")
		want(t, "what is removed", h.Get("X-Inner"), "")
	}
}

func TestFieldsThatAreTheGatewaysToSay(t *testing.T) {
	for _, name := range []string{"X-Forwarded-For", "x-forwarded-user", "Forwarded", "Via", "X-Real-IP", "Traceparent", "Expect", "X_Tenant", "Portcullis-Subject", "Content-Length",
		"Host", "Transfer-Encoding", "Connection", "Proxy-Authorization", "X-Request-Id", "Idempotency-Key"} {
		if _, err := NewFields([]pipeline.Field{{Name: name, Value: "CANARY"}}, nil); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("setting %s: %v", name, err)
		}
		if _, err := NewFields(nil, []string{name}); (err == nil) != (name == "Idempotency-Key") {
			t.Errorf("removing %s: %v", name, err)
		}
	}
	for _, name := range []string{"Authorization", "Cookie", "X-Tenant"} {
		if _, err := NewFields([]pipeline.Field{{Name: name, Value: "a"}}, nil); err != nil {
			t.Error(err)
		}
	}
}

// The credential of the upstream is not the policy's to replace.
func TestTheCredentialWinsOverAField(t *testing.T) {
	b, asked := tells(t)
	g := front(t, Config{Endpoints: urls(b), Credential: exchanged("own")}, as("the caller's", "g-7", "web"), sees(RouteOptions{Fields: mustFields(t, []pipeline.Field{{Name: "Authorization", Value: "Basic a"}})}))
	text(t, g.do(t, "GET", "/x", nil))
	want(t, "Authorization", strings.Join((<-asked).Header["Authorization"], "|"), "Bearer own")
}
