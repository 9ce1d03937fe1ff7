package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// seen runs one request and returns what the upstream got.
func seen(t *testing.T, c Config, head string, tune ...func(*gate)) (*http.Request, *http.Response) {
	t.Helper()
	got := make(chan *http.Request, 1)
	c.Endpoints = urls(script(t, func(p *peer) { got <- p.next(); p.say(ok) }))
	g := front(t, c, tune...)
	conn := g.dial(t)
	conn.say("GET /x HTTP/1.1\r\nHost: Api.Test:8443\r\n" + head + "\r\n")
	r, _, err := conn.answer("GET")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case request := <-got:
		return request, r
	default:
		return nil, r
	}
}

type fixed string

func (f fixed) Token(context.Context, string) (string, error) { return string(f), nil }

type broken struct{ err error }

func (b broken) Token(context.Context, string) (string, error) { return "", b.err }

func TestTheEdgeTokenNeverTravelsAndOursDoes(t *testing.T) {
	r, _ := seen(t, Config{Credential: fixed("inner")}, "Authorization: Bearer edge\r\nAuthorization: Bearer edge2\r\nCookie: a=b\r\n")
	want(t, "authorization", r.Header["Authorization"], "[Bearer inner]")
	want(t, "cookie", r.Header.Get("Cookie"), "a=b")
	r, _ = seen(t, Config{}, "Authorization: Bearer edge\r\n")
	want(t, "authorization without a credential", r.Header["Authorization"], "[]")
}

func TestWithoutACredentialNothingIsSent(t *testing.T) {
	r, res := seen(t, Config{Credential: broken{errors.New("no token")}}, "")
	want(t, "request", r == nil, true)
	want(t, "answer", res.StatusCode, 503)
	want(t, "retry after", res.Header.Get("Retry-After"), "1")
	_, res = seen(t, Config{Credential: broken{problem.New(problem.IssuerUnavailable, "")}}, "")
	want(t, "code of a problem", res.Header.Get("X-Code"), problem.IssuerUnavailable)
	_, res = seen(t, Config{Credential: fixed("")}, "")
	want(t, "an empty token", res.StatusCode, 503)
}

func TestIdentityFromOutsideIsRemoved(t *testing.T) {
	r, _ := seen(t, Config{}, "Portcullis-Subject: root\r\nPortcullis-Client: root\r\nPortcullis-Anything: root\r\nX_User: root\r\nX-Forwarded-For: 6.6.6.6\r\n"+
		"X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\nForwarded: for=6.6.6.6\r\nX-Real-Ip: 6.6.6.6\r\nVia: 1.1 x\r\nX-Request-Id: evil\r\nX-Kept: 1\r\n", as("edge", "g-7", "demo"))
	for name, value := range map[string]string{
		"Portcullis-Subject": "[]", "Portcullis-Client": "[]", "Portcullis-Anything": "[]", "X_user": "[]", "X-Forwarded-For": "[192.0.2.7]",
		"X-Forwarded-Proto": "[http]", "X-Forwarded-Host": "[Api.Test:8443]", "X-Forwarded-Prefix": "[]", "Forwarded": "[]", "X-Real-Ip": "[]", "Via": "[]",
		"X-Request-Id": "[0123456789abcdef0123456789abcdef]", "X-Kept": "[1]",
	} {
		want(t, name, r.Header[name], value)
	}
	if !strings.HasPrefix(r.Host, "127.0.0.1:") {
		t.Errorf("host is %q, not the endpoint's", r.Host)
	}
}

func TestConnectionCannotRemoveWhatWeAdd(t *testing.T) {
	r, _ := seen(t, Config{Credential: fixed("inner")}, "Connection: X-Request-Id, X-Forwarded-For\r\nConnection: Authorization\r\n")
	want(t, "request id", r.Header.Get("X-Request-Id"), "0123456789abcdef0123456789abcdef")
	want(t, "source", r.Header.Get("X-Forwarded-For"), "192.0.2.7")
	want(t, "authorization", r.Header.Get("Authorization"), "Bearer inner")
}

func TestHopByHopFieldsStayOnTheirHop(t *testing.T) {
	got := make(chan http.Header, 1)
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		got <- p.next().Header
		p.say("HTTP/1.1 200 OK\r\nConnection: X-Back\r\nConnection: keep-alive, X-Back2\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nX-Back: 1\r\nX-Back2: 1\r\n" +
			"Server: s\r\nX-Powered-By: p\r\nPortcullis-Policy: secret\r\nX-Request-Id: theirs\r\nRatelimit: theirs\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n")
	}))}, func(g *gate) {
		g.prep = func(tx *pipeline.Transaction) { tx.SetHeader("RateLimit", "ours"); tx.SetHeader("X-Stage", "1") }
	})
	c := g.dial(t)
	c.say("GET /x HTTP/1.1\r\nHost: h\r\nConnection:\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 1\r\nProxy-Connection: k\r\nTE: gzip, trailers\r\nProxy-Authorization: p\r\nHTTP2-Settings: x\r\nUpgrade: h2c\r\n\r\n")
	r, _, err := c.answer("GET")
	if err != nil {
		t.Fatal(err)
	}
	h := <-got
	for _, name := range []string{"X-Secret", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Http2-Settings", "Upgrade", "Connection"} {
		want(t, "upstream saw "+name, h[name], "[]")
	}
	want(t, "upstream saw Te", h["Te"], "[trailers]")
	for _, name := range []string{"X-Back", "X-Back2", "Keep-Alive", "Proxy-Authenticate", "Server", "X-Powered-By", "Portcullis-Policy"} {
		want(t, "client saw "+name, r.Header[name], "[]")
	}
	want(t, "request id", r.Header["X-Request-Id"], "[0123456789abcdef0123456789abcdef]")
	want(t, "rate limit", r.Header["Ratelimit"], "[ours]")
	want(t, "stage", r.Header["X-Stage"], "[1]")
	want(t, "kept", r.Header["X-Kept"], "[1]")
}

func TestATraceIsPassedOnOrBegun(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	r, _ := seen(t, Config{}, "Traceparent: "+parent+"\r\nTracestate: a=b\r\n")
	want(t, "parent", r.Header.Get("Traceparent"), parent)
	want(t, "state", r.Header.Get("Tracestate"), "a=b")
	r, _ = seen(t, Config{}, "Traceparent: 00-zz\r\nTracestate: a=b\r\n")
	got := r.Header.Get("Traceparent")
	if pipeline.TraceID(r.Header) == "" || !strings.HasPrefix(got, "00-0123456789abcdef0123456789abcdef-") {
		t.Errorf("begun trace is %q", got)
	}
	want(t, "state of a trace that is not ours", r.Header.Get("Tracestate"), "")
}

func FuzzConnectionNames(f *testing.F) {
	f.Add("keep-alive, X-Secret,,")
	f.Fuzz(func(t *testing.T, line string) {
		for _, name := range named(http.Header{"Connection": {line}}) {
			if name == "" || strings.ContainsAny(name, ",") {
				t.Errorf("%q gives %q", line, name)
			}
		}
	})
}
