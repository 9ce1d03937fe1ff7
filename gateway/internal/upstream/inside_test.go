package upstream

import (
	"net/http"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// TestAnAnswerTellsNothingOfWhatIsInside has a backend say all that servers and
// proxies say of themselves.
func TestAnAnswerTellsNothingOfWhatIsInside(t *testing.T) {
	t.Parallel()
	said := "Server: rooms/1.2\r\nX-Powered-By: rooms\r\nX-AspNet-Version: 4\r\nx-aspnetmvc-version: 5\r\nX-Runtime: 0.1\r\nX-Generator: rooms\r\n" +
		"Via: 1.1 rooms-7.internal\r\nForwarded: for=10.0.0.7\r\nX-Forwarded-For: 10.0.0.7\r\nX-Real-IP: 10.0.0.7\r\nX-Varnish: 1\r\nX-Served-By: rooms-7\r\n" +
		"X-Backend: rooms-7\r\nX-Backend-Server: rooms-7\r\nX-Upstream-Addr: 10.0.0.7\r\nX-Envoy-Upstream-Service-Time: 3\r\nX-Accel-Redirect: /inside\r\n" +
		"X-Sendfile: /inside\r\nX-Host: rooms-7\r\nX-Server: rooms-7\r\nPortcullis-Trace: rooms\r\nX-Request-Id: rooms\r\n" +
		"Connection: keep-alive, X-Hop\r\nX-Hop: rooms\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic realm=rooms\r\nTrailer: X-Backend\r\n"
	g := front(t, Config{Endpoints: urls(script(t, always("HTTP/1.1 200 OK\r\n"+said+"X-Total: 12\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Backend: rooms-7\r\n\r\n")))})
	res := g.do(t, "GET", "/x", nil)
	want(t, "body", text(t, res), "ok")
	for name, values := range res.Header {
		if name != "X-Total" && name != "Date" && (name != "X-Request-Id" || values[0] == "rooms") {
			t.Errorf("the client is told %s: %q", name, values)
		}
	}
	want(t, "what is the application's", res.Header.Get("X-Total"), "12")
	want(t, "trailers", res.Trailer, "map[]")
}

// TestAnAnswerPointsToNoEndpoint: a Location that a backend builds from the Host
// it was asked by leads to the gateway.
func TestAnAnswerPointsToNoEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ says, want, prefix string }{
		"the endpoint's own address becomes a path": {"http://ENDPOINT/rooms/7?a=b#c", "/rooms/7?a=b#c", ""},
		"in capitals too":                             {"HTTP://ENDPOINT/rooms", "/rooms", ""},
		"by https as well":                            {"https://ENDPOINT/rooms", "/rooms", ""},
		"without a scheme too":                        {"//ENDPOINT/rooms", "/rooms", ""},
		"without a path it is the first page":         {"http://ENDPOINT", "/", ""},
		"a query alone is one of the first page":      {"http://ENDPOINT?a=b", "/?a=b", ""},
		"a prefix that was taken off is put back":     {"http://ENDPOINT/rooms", "/api/rooms", "/api"},
		"what follows does not become a host":         {"http://ENDPOINT//evil.test/", "/.//evil.test/", ""},
		"nor does it as browsers read a backslash":    {`http://ENDPOINT/\evil.test/`, `/./\evil.test/`, ""},
		"nor once they have dropped a tab":            {"http://ENDPOINT/\t/evil.test/", "/./\t/evil.test/", ""},
		"nor behind a prefix":                         {"http://ENDPOINT//evil.test/", "/api//evil.test/", "/api"},
		"another's address passes":                    {"https://bank.test/pay", "https://bank.test/pay", ""},
		"one that only begins like ours is another's": {"http://ENDPOINT.evil.test/", "http://ENDPOINT.evil.test/", ""},
		"so is one behind a user name":                {"http://ENDPOINT@evil.test/", "http://ENDPOINT@evil.test/", ""},
		"a path passes":                               {"/rooms/8", "/rooms/8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b *backend
			b = script(t, func(p *peer) {
				for p.next() != nil {
					says := strings.ReplaceAll(c.says, "ENDPOINT", b.addr)
					p.say("HTTP/1.1 201 Created\r\nLocation: " + says + "\r\nContent-Location: " + says + "\r\nContent-Length: 0\r\n\r\n")
				}
			})
			path := "/x"
			g := front(t, Config{Endpoints: urls(b)}, func(g *gate) { g.sees = RouteOptions{StripPrefix: c.prefix} })
			if c.prefix != "" {
				path = c.prefix + path
			}
			res := g.do(t, "POST", path, nil)
			wanted := strings.ReplaceAll(c.want, "ENDPOINT", b.addr)
			for _, name := range []string{"Location", "Content-Location"} {
				if got := res.Header.Get(name); got != wanted {
					t.Errorf("%s is %q, want %q", name, got, wanted)
				}
			}
		})
	}
}

// TestThePoliciesFieldsStandOnWhatIsForwarded: whatever the backend says of the
// same names.
func TestThePoliciesFieldsStandOnWhatIsForwarded(t *testing.T) {
	t.Parallel()
	fields, err := pipeline.NewFields([]pipeline.Field{{Name: "Strict-Transport-Security", Value: "max-age=63072000"}}, []string{"X-Frame-Options"})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]string{
		"an answer":                 "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=0\r\nX-Frame-Options: ALLOWALL\r\nContent-Length: 2\r\n\r\nok",
		"a failure":                 "HTTP/1.1 500 No\r\nStrict-Transport-Security: max-age=0\r\nContent-Length: 2\r\n\r\nok",
		"nothing changed":           "HTTP/1.1 304 Not Modified\r\nStrict-Transport-Security: max-age=0\r\nEtag: \"a\"\r\n\r\n",
		"nothing to say":            "HTTP/1.1 204 No Content\r\nstrict-transport-security: max-age=0\r\n\r\n",
		"said again in a trailer":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nStrict-Transport-Security: max-age=0\r\nX-Frame-Options: a\r\n\r\n",
		"a part of a body":          "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok",
		"an answer after two hints": "HTTP/1.1 103 Early\r\nStrict-Transport-Security: max-age=0\r\n\r\nHTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, always(answer)))}, func(g *gate) { g.route.Response = fields })
			res := g.do(t, http.MethodGet, "/x", nil)
			text(t, res)
			want(t, "the policy's field", res.Header["Strict-Transport-Security"], "[max-age=63072000]")
			want(t, "what is removed", res.Header["X-Frame-Options"], "[]")
			want(t, "trailers", res.Trailer, "map[]")
		})
	}
}
