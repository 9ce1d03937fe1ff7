package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/gateway/internal/framing"
	"portcullis/services/problem"
)

// malformedHeads are answers whose head could be read in two ways or is none.
func malformedHeads() map[string]string {
	return map[string]string{
		"a head larger than its bound":            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + repeat("a", 100<<10) + "\r\n\r\n",
		"Content-Length beside Transfer-Encoding": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"two lengths":                            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
		"a signed length":                        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"an unknown transfer coding":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a folded field":                         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n b\r\n\r\nhello",
		"lines that end in a bare line feed":     "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"a bare carriage return in a field":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rb\r\n\r\nok",
		"a space before the colon":               "HTTP/1.1 200 OK\r\nContent-Length : 2\r\nSet-Cookie: a=b\r\n\r\nok",
		"an upgrade nobody asked for":            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"something that is not HTTP":             "SSH-2.0-OpenSSH_9.9\r\n",
		"a status that is not a number":          "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
		"no content, and a length of it":         "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
		"hints without end, and never an answer": repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 40),
	}
}

// malformedBodies are answers whose head is sound.
func malformedBodies() map[string]string {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	return map[string]string{
		"a body shorter than its length":           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"a chunked body cut short":                 chunked + "5\r\nhello\r\n",
		"a chunk size in another notation":         chunked + "0x5\r\nhello\r\n0\r\n\r\n",
		"a chunk longer than its size":             chunked + "5\r\nhelloX\r\n0\r\n\r\n",
		"chunk lines that end in a bare line feed": chunked + "5\nhello\r\n0\r\n\r\n",
		"a chunk with an extension":                chunked + "5;a=b\r\nhello\r\n0\r\n\r\n",
		"a trailer without a colon":                chunked + "5\r\nhello\r\n0\r\nX\r\n\r\n",
	}
}

// TestMalformedAnswersAreNeverRelayedAsWhole: the client sees 502, or a cut
// connection where the head had passed.
func TestMalformedAnswersAreNeverRelayedAsWhole(t *testing.T) {
	all := malformedBodies()
	maps.Copy(all, malformedHeads())
	all["nothing at all"] = ""
	for name, answer := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, func(p *peer) { p.next(); p.say(answer) }))})
			c := g.dial(t)
			c.say(plainGet)
			for {
				r, body, err := c.answer("GET")
				if err == nil && r.StatusCode == http.StatusEarlyHints {
					continue
				}
				if err == nil && (r.StatusCode < 500 || r.Header.Get("Set-Cookie") != "") {
					t.Errorf("relayed as %d %q %v", r.StatusCode, body, r.Header)
				}
				return
			}
		})
	}
}

// TestAMalformedHeadIsTheEndpointsFailure: the client gets 502 and nothing of the
// answer, the breaker counts, the event says why, and the connection is given
// up: what else is on it was said by somebody who cannot be read.
func TestAMalformedHeadIsTheEndpointsFailure(t *testing.T) {
	for name, answer := range malformedHeads() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			b := script(t, func(p *peer) {
				p.next()
				if p.b.conns.Load() > 1 {
					p.say(ok)
					return
				}
				p.say(answer)
				p.untilGone()
				close(gone)
			})
			g := front(t, Config{Endpoints: urls(b)}, timeoutOf(time.Minute))
			c := g.dial(t)
			c.say(plainGet)
			r, body, err := c.answer("GET")
			for err == nil && r.StatusCode == http.StatusEarlyHints {
				r, body, err = c.answer("GET")
			}
			if err != nil || r.StatusCode != http.StatusBadGateway || r.Header.Get("Set-Cookie") != "" || strings.Contains(body, "hello") {
				t.Fatalf("%v %+v %q", err, r, body)
			}
			if o := g.last(t); o.err == nil || o.client != nil {
				t.Errorf("%+v", o)
			}
			want(t, "failures of the endpoint", g.failures(), 1)
			<-gone
			c.say(plainGet)
			if _, body, err := c.answer("GET"); err != nil || body != "ok" {
				t.Errorf("the next request: %q %v", body, err)
			}
			want(t, "requests seen", b.hits.Load(), 2)
		})
	}
}

// Its name is all that is told of a refused answer; what it held is the
// backend's secret.
func TestWhyAnAnswerWasRefusedStandsInThePrivateCause(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, always(malformedHeads()["Content-Length beside Transfer-Encoding"])))})
	g.do(t, "GET", "/x", nil)
	o := g.last(t)
	p, isProblem := errors.AsType[*problem.Problem](o.err)
	if !isProblem || !errors.Is(p.Cause, framing.ErrMalformed) || !strings.Contains(p.Cause.Error(), "content_length_and_transfer_encoding") {
		t.Errorf("%v", o.err)
	}
}

// TestAnswersOverTLSAreCheckedToo: the check stands above TLS, and a session is
// resumed all the same.
func TestAnswersOverTLSAreCheckedToo(t *testing.T) {
	var answer atomic.Value
	var resumed atomic.Int32
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		if r.ProtoMajor != 1 {
			t.Errorf("spoken is %s", r.Proto)
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, answer.Load().(string))
			_ = conn.Close()
		}
	}))
	backend.EnableHTTP2 = true
	backend.StartTLS()
	t.Cleanup(backend.Close)
	roots := x509.NewCertPool()
	roots.AddCert(backend.Certificate())
	g := front(t, Config{Endpoints: []string{backend.URL}, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	answer.Store(ok)
	want(t, "a sound answer", text(t, g.do(t, "GET", "/x", nil)), "ok")
	answer.Store(malformedHeads()["Content-Length beside Transfer-Encoding"])
	want(t, "one that can be read in two ways", g.do(t, "GET", "/x", nil).StatusCode, 502)
	if resumed.Load() == 0 {
		t.Error("no session was resumed")
	}
}

func TestAnAnswerNobodyAskedForIsNotGivenToTheNextRequest(t *testing.T) {
	dropped := make(chan struct{})
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		for p.next() != nil {
			p.say(ok)
			if p.b.conns.Load() == 1 {
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
				p.untilGone()
				close(dropped)
			}
		}
	}))})
	c := g.dial(t)
	c.say(plainGet)
	if _, body, err := c.answer("GET"); body != "ok" {
		t.Fatalf("first answer %q %v", body, err)
	}
	<-dropped
	for range 5 {
		c.say(plainGet)
		if _, body, err := c.answer("GET"); body == "evil" {
			t.Fatalf("another's answer was relayed: %q %v", body, err)
		}
	}
}

// TestAnExchangeIsNotUsedAgainWhileTheTransportWritesItsHeader: to change a map
// that another goroutine walks would end the process.
func TestAnExchangeIsNotUsedAgainWhileTheTransportWritesItsHeader(t *testing.T) {
	x := newExchange()
	x.whole = true
	x.hooks.GotConn(httptrace.GotConnInfo{})
	want(t, "free while the request is written", x.free(), false)
	x.hooks.WroteRequest(httptrace.WroteRequestInfo{})
	want(t, "free once it is written", x.free(), true)
	x.hooks.GotConn(httptrace.GotConnInfo{})
	want(t, "free while the transport writes it to another connection", x.free(), false)
}

func TestAnEndpointThatAnswersBeforeItIsAskedBreaksNothing(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		for {
			p.say(ok)
			if p.next() == nil {
				return
			}
		}
	}))})
	c := g.dial(t)
	for range 300 {
		c.say(plainGet)
		if r, _, err := c.answer("GET"); err != nil || r.StatusCode != 200 && r.StatusCode != 502 && r.StatusCode != 503 {
			t.Fatalf("%v %+v", err, r)
		}
	}
}
