package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// dead is an address that refuses connections.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestARefusedConnectionIsTriedElsewhereForEveryMethod(t *testing.T) {
	b := script(t, always(ok))
	g := front(t, Config{Endpoints: []string{dead(t), "http://" + b.addr}})
	for _, method := range []string{"GET", "POST", "POST", "DELETE"} {
		res := g.do(t, method, "/x", strings.NewReader("body"))
		want(t, method, res.StatusCode, 200)
		o := g.last(t)
		want(t, "endpoint", o.result.Endpoint, b.addr)
	}
	want(t, "requests seen", b.hits.Load(), 4)
}

func TestADeadUpstreamIsUnavailable(t *testing.T) {
	g := front(t, Config{Endpoints: []string{dead(t), dead(t)}})
	res := g.do(t, "POST", "/x", strings.NewReader("body"))
	want(t, "status", res.StatusCode, 503)
	want(t, "code", res.Header.Get("X-Code"), "upstream_unavailable")
	want(t, "retry after", res.Header.Get("Retry-After"), "1")
	want(t, "attempts", g.last(t).result.Attempts, 2)
}

func TestAResetIsTriedOnceMoreOnlyForRequestsThatDoNothing(t *testing.T) {
	for _, c := range []struct {
		name, method, body string
		hits               int
	}{
		{"GET", "GET", "", 2}, {"HEAD", "HEAD", "", 2}, {"OPTIONS", "OPTIONS", "", 2}, {"GET with a body", "GET", "b", 1}, {"POST", "POST", "b", 1},
		{"POST without a body", "POST", "", 1}, {"PUT", "PUT", "b", 1}, {"DELETE", "DELETE", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := script(t, func(p *peer) { p.next() })
			g := front(t, Config{Endpoints: urls(b)})
			res := g.do(t, c.method, "/x", strings.NewReader(c.body))
			want(t, "status", res.StatusCode, 502)
			want(t, "requests seen", b.hits.Load(), c.hits)
		})
	}
}

func TestAResetGetIsAnsweredByAnotherEndpoint(t *testing.T) {
	bad, good := script(t, func(p *peer) { p.next() }), script(t, always(ok))
	g := front(t, Config{Endpoints: urls(bad, good)})
	for range 4 {
		want(t, "status", g.do(t, "GET", "/x", nil).StatusCode, 200)
	}
}

func TestAKeptConnectionThatDiedIsReplaced(t *testing.T) {
	b := script(t, func(p *peer) { p.next(); p.say(ok) })
	g := front(t, Config{Endpoints: urls(b)})
	for range 5 {
		want(t, "status", g.do(t, "GET", "/x", nil).StatusCode, 200)
	}
}

// TestAPostThatMayHaveBeenSeenIsNotSentTwice: not even when it names itself
// repeatable, which the transport would believe.
func TestAPostThatMayHaveBeenSeenIsNotSentTwice(t *testing.T) {
	for _, body := range []string{"", "ab"} {
		b := script(t, func(p *peer) {
			for r := p.next(); r != nil && r.Method == "GET"; r = p.next() {
				p.say(ok)
			}
		})
		g := front(t, Config{Endpoints: urls(b)})
		g.do(t, "GET", "/x", nil)
		res := g.do(t, "POST", "/x", strings.NewReader(body), "Idempotency-Key", "k", "X-Idempotency-Key", "k")
		want(t, "status", res.StatusCode, 502)
		want(t, "requests seen", b.hits.Load(), 2)
	}
}

func TestTheIdempotencyKeyArrives(t *testing.T) {
	r, _ := seen(t, Config{}, "Idempotency-Key: k\r\n")
	want(t, "key", r.Header.Get("Idempotency-Key"), "k")
}

func TestASlowUpstreamEndsAtTheBound(t *testing.T) {
	silent := func(p *peer) { p.next(); p.untilGone() }
	for name, c := range map[string]struct{ route, attempt time.Duration }{
		"of the route":   {100 * time.Millisecond, time.Hour},
		"of the attempt": {time.Hour, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, silent)), Attempt: c.attempt}, timeoutOf(c.route))
			res := g.do(t, "GET", "/x", nil) // the upstream never answers, and the other bound is hours away
			want(t, "status", res.StatusCode, 504)
			want(t, "code", res.Header.Get("X-Code"), "upstream_timeout")
			want(t, "failures", g.failures(), 1)
		})
	}
}

func TestAnAttemptsBoundDoesNotBoundTheBody(t *testing.T) {
	g := front(t, Config{Attempt: time.Second, Endpoints: urls(script(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
		<-time.After(1200 * time.Millisecond)
		p.say("k")
	}))}, timeoutOf(time.Minute))
	want(t, "body", text(t, g.do(t, "GET", "/x", nil)), "ok")
}

func TestAnAnswerThatBreaksMidwayIsAborted(t *testing.T) {
	for name, run := range map[string]func(*peer){
		"because the upstream hangs up": func(p *peer) { p.next(); p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n") },
		"because the time is up": func(p *peer) {
			p.next()
			p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			p.untilGone()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, run))}, timeoutOf(200*time.Millisecond))
			res := g.do(t, "GET", "/x", nil)
			if b, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("%q was relayed as complete", b)
			}
			o := g.last(t)
			if o.result.Broken == nil || o.err != nil || o.result.Status != 200 || o.result.Bytes != 5 {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestAClientThatLeavesEndsTheUpstreamRequest(t *testing.T) {
	asked, gone := make(chan struct{}), make(chan struct{})
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) { p.next(); close(asked); p.untilGone(); close(gone) }))}, timeoutOf(time.Minute))
	c := g.dial(t)
	c.say(plainGet)
	<-asked
	_ = c.Close()
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("the upstream request goes on")
	}
	o := g.last(t)
	want(t, "the client's failure is known", o.client != nil, true)
	want(t, "failures", g.failures(), 0)
}

func TestClientsThatSpoilTheirBodyCountAgainstNobody(t *testing.T) {
	read := func(p *peer) {
		_, _ = io.Copy(io.Discard, p.next().Body)
		p.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
	}
	for name, c := range map[string]struct {
		say    string
		hangUp bool
		status int
		tune   func(*gate)
	}{
		"a broken chunk": {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", false, 400, timeoutOf(time.Minute)},
		"a hang-up":      {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello", true, 0, timeoutOf(time.Minute)},
		"a crawl":        {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello", false, 408, timeoutOf(100 * time.Millisecond)},
		"too much": {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n", false, 413, func(g *gate) {
			g.prep = func(tx *pipeline.Transaction) { tx.Request.Body = http.MaxBytesReader(nil, tx.Request.Body, 7) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, read)), Breaker: BreakerConfig{Samples: 1, Failures: 1}}, c.tune)
			for range 6 {
				conn := g.dial(t)
				conn.say(c.say)
				if c.hangUp {
					_ = conn.Close()
				} else if r, _, err := conn.answer("POST"); err != nil || r.StatusCode != c.status || !r.Close {
					t.Errorf("%v %+v", err, r)
				}
				o := g.last(t)
				want(t, "the client's failure is known", o.client != nil, true)
			}
			want(t, "breaker", g.up.Status()[0].Breaker, "closed")
			want(t, "failures", g.failures(), 0)
		})
	}
}

func TestAClientThatDoesNotReadIsCutOffAtTheBound(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\n\r\n")
		_, _ = io.Copy(p.Conn, pattern{})
	}))}, timeoutOf(200*time.Millisecond))
	c := g.dial(t)
	c.say(plainGet)
	o := g.last(t)
	if o.result.Broken == nil {
		t.Errorf("%+v", o)
	}
}

func TestWhatTheTransportRefusesToSendCountsAgainstNobody(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, always(ok)))}, func(g *gate) {
		g.prep = func(tx *pipeline.Transaction) { tx.Request.Header["X-Note"] = []string{"a\nb"} }
	})
	want(t, "status", g.do(t, "GET", "/x", nil).StatusCode, 400)
	want(t, "failures", g.failures(), 0)
}

func TestMistakesInTheConfigurationAreToldTogether(t *testing.T) {
	_, err := New(Config{Endpoints: []string{"ftp://x", "https://u:p@x", "https://x/path", "https://", "https://x/path", "::"}, Connect: -1, Breaker: BreakerConfig{Failures: 101}})
	for _, part := range []string{"no name", "neither http nor https", "more than scheme", "no host", "twice", "not a URL", "negative", "failures"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told in: %v", part, err)
		}
	}
	if _, err := New(Config{Name: "x"}); err == nil {
		t.Error("an upstream without endpoints was made")
	}
}

func TestTimeoutsAreOursAndNotTheSystems(t *testing.T) {
	want(t, "a read deadline is no reset", isReset(os.ErrDeadlineExceeded), false)
	want(t, "a malformed answer is no reset", isReset(errors.New("malformed HTTP response")), false)
}
