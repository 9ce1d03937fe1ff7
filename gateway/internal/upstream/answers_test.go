package upstream

import (
	"net/http"
	"net/http/httptrace"
	"testing"
)

// TestMalformedAnswersAreNeverRelayedAsWhole: the client sees an error status
// or a cut connection.
func TestMalformedAnswersAreNeverRelayedAsWhole(t *testing.T) {
	for name, answer := range map[string]string{
		"a head larger than its bound":             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + repeat("a", 100<<10) + "\r\n\r\n",
		"a body shorter than its length":           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"a chunked body cut short":                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"a chunk size in another notation":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
		"a chunk longer than its size":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
		"chunk lines that end in a bare line feed": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
		"two lengths":                              "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
		"a signed length":                          "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"an unknown transfer coding":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a bare carriage return in a field":        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rb\r\n\r\nok",
		"a space before the colon":                 "HTTP/1.1 200 OK\r\nContent-Length : 2\r\nSet-Cookie: a=b\r\n\r\nok",
		"an upgrade nobody asked for":              "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"something that is not HTTP":               "SSH-2.0-OpenSSH_9.9\r\n",
		"hints without end, and never an answer":   repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 40),
		"a status that is not a number":            "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
		"nothing at all":                           "",
	} {
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

// TestLenientReadingIsReframed lists where http.Transport reads a malformed
// answer leniently. It must then at least reach the client as one well-formed
// answer, and the connection to the endpoint must not carry a second one.
func TestLenientReadingIsReframed(t *testing.T) {
	for name, answer := range map[string]string{
		"Content-Length beside Transfer-Encoding": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a folded field":                     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n b\r\n\r\nhello",
		"lines that end in a bare line feed": "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, always(answer)))})
			c := g.dial(t)
			for range 2 {
				c.say(plainGet)
				r, body, err := c.answer("GET")
				if err != nil || r.StatusCode != 200 || body != "hello" || len(r.TransferEncoding) > 0 && r.Header.Get("Content-Length") != "" {
					t.Errorf("%v %q %+v", err, body, r)
				}
			}
		})
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
