package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// backend is a scripted TCP server: it says exactly the bytes it is told to.
type backend struct {
	addr        string
	conns, hits atomic.Int32
}

// peer is the backend's side of one connection.
type peer struct {
	net.Conn
	in *bufio.Reader
	b  *backend
}

func (p *peer) say(s string) { _, _ = io.WriteString(p.Conn, s) }

// next reads one request head; nil when the connection is over.
func (p *peer) next() *http.Request {
	r, err := http.ReadRequest(p.in)
	if err != nil {
		return nil
	}
	p.b.hits.Add(1)
	return r
}

// untilGone waits until the gateway closes the connection.
func (p *peer) untilGone() { _, _ = io.Copy(io.Discard, p.in) }

func script(t testing.TB, run func(p *peer)) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &backend{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Add(1)
			go func() {
				defer func() { _ = c.Close() }()
				run(&peer{c, bufio.NewReader(c), b})
			}()
		}
	}()
	return b
}

// always answers every request of a connection with the same bytes.
func always(raw string) func(*peer) {
	return func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			_, _ = io.Copy(io.Discard, r.Body)
			p.say(raw)
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// gate is a front server that calls Forward as the edge does.
type gate struct {
	*httptest.Server
	up     *Upstream
	route  *pipeline.Route
	sees   RouteOptions
	prep   func(*pipeline.Transaction)
	ended  chan outcome
	client *http.Client
}

type outcome struct {
	result pipeline.Result
	err    error
	client error
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tx := &pipeline.Transaction{Request: r, Start: time.Now(), ID: "0123456789abcdef0123456789abcdef", Route: g.route, Host: "api.test",
		Path: r.URL.EscapedPath(), Source: netip.MustParseAddr("192.0.2.7")}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		g.ended <- outcome{err: err}
		return
	}
	if g.prep != nil {
		g.prep(tx)
	}
	w.Header()["X-Request-Id"] = []string{tx.ID}
	result, err := g.up.Forwarder(g.sees).Forward(w, tx)
	select {
	case g.ended <- outcome{result, err, tx.ClientErr()}:
	default:
	}
	if err != nil {
		p, ok := errors.AsType[*problem.Problem](err)
		if !ok {
			p = problem.New(problem.BadGateway, "").Because(err)
		}
		w.Header()["X-Code"] = []string{string(p.Code)}
		problem.Write(w, r, p, tx.ID)
		return
	}
	if result.Broken != nil {
		panic(http.ErrAbortHandler)
	}
}

// last waits for the end of the next forward.
func (g *gate) last(t testing.TB) outcome {
	t.Helper()
	select {
	case o := <-g.ended:
		return o
	case <-time.After(time.Minute):
		t.Fatal("the forward does not end")
		return outcome{}
	}
}

func urls(bs ...*backend) []string {
	var all []string
	for _, b := range bs {
		all = append(all, "http://"+b.addr)
	}
	return all
}

// front starts a gate; tune may change everything before it serves.
func front(t testing.TB, c Config, tune ...func(*gate)) *gate {
	t.Helper()
	c.Name = "rooms"
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	up, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{up: up, route: &pipeline.Route{Name: "r", Timeout: 30 * time.Second}, ended: make(chan outcome, 64)}
	for _, f := range tune {
		f(g)
	}
	g.Server = httptest.NewUnstartedServer(g)
	g.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.Start()
	g.client = g.Client()
	g.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { g.CloseClientConnections(); g.Close(); up.Retire(nil) })
	return g
}

func timeoutOf(d time.Duration) func(*gate) { return func(g *gate) { g.route.Timeout = d } }

// as has the request authenticated by a token.
func as(bearer, subject, client string) func(*gate) {
	return func(g *gate) {
		g.prep = func(tx *pipeline.Transaction) {
			tx.Principal, tx.Bearer = &token.Principal{Subject: subject, Client: client}, bearer
		}
	}
}

// raw is a client that says exactly the bytes it is told to.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func (g *gate) dial(t testing.TB) *raw {
	t.Helper()
	c, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &raw{c, bufio.NewReader(c)}
}

func (c *raw) say(s string) { _, _ = io.WriteString(c.Conn, s) }

// answer reads a whole answer to a request of this method.
func (c *raw) answer(method string) (*http.Response, string, error) {
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(r.Body)
	return r, string(b), err
}

const plainGet = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"

// failures is what the breaker of the first endpoint has counted.
func (g *gate) failures() int { return g.up.Status()[0].Failures }

func (g *gate) do(t testing.TB, method, path string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, g.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := g.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return string(b)
}

func want(t testing.TB, what string, got, wanted any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }
