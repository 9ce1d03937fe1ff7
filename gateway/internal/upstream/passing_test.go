package upstream

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestABodyWithALengthArrivesWhole(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		b, _ := io.ReadAll(p.next().Body)
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b))
	}))})
	long := repeat("x", 100<<10)
	want(t, "what came back", text(t, g.do(t, "POST", "/x", strings.NewReader(long))) == long, true)
}

func TestAChunkedRequestStreamsWithItsTrailers(t *testing.T) {
	saw := make(chan string, 1)
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		r := p.next()
		first := make([]byte, 5)
		_, _ = io.ReadFull(r.Body, first)
		saw <- string(first)
		_, _ = io.Copy(io.Discard, r.Body)
		saw <- fmt.Sprint(r.Trailer)
		p.say(ok)
	}))})
	c := g.dial(t)
	c.say("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Portcullis-Subject\r\n\r\n5\r\nhello\r\n")
	want(t, "first chunk before the second is sent", <-saw, "hello")
	c.say("1\r\n!\r\n0\r\nX-Sum: 42\r\nPortcullis-Subject: root\r\n\r\n")
	want(t, "trailers, without an identity", <-saw, "map[X-Sum:[42]]")
	if r, _, err := c.answer("POST"); err != nil || r.StatusCode != 200 || r.Close {
		t.Errorf("%v %+v", err, r)
	}
}

func TestAChunkedAnswerStreamsWithItsTrailers(t *testing.T) {
	more := make(chan struct{})
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Portcullis-Secret\r\n\r\n5\r\nhello\r\n")
		<-more
		p.say("1\r\n!\r\n0\r\nX-Sum: 42\r\nPortcullis-Secret: s\r\nX-Late: 1\r\n\r\n")
	}))})
	res := g.do(t, "GET", "/x", nil)
	first := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatalf("not streamed: %v", err)
	}
	close(more)
	want(t, "the rest", text(t, res), "!")
	want(t, "trailers", res.Trailer, "map[X-Late:[1] X-Sum:[42]]")
}

func TestEventsAreFlushedAsTheyCome(t *testing.T) {
	for name, head := range map[string]string{
		"without a length": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
		"with a length, because they are an event stream": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := front(t, Config{Endpoints: urls(script(t, func(p *peer) { p.next(); p.say(head + "data: 1\n\n"); p.untilGone() }))})
			c := g.dial(t)
			c.say(plainGet)
			r, err := http.ReadResponse(c.in, nil)
			if err != nil {
				t.Fatal(err)
			}
			event := make([]byte, 9)
			if _, err := io.ReadFull(r.Body, event); err != nil || string(event) != "data: 1\n\n" {
				t.Errorf("%q %v", event, err)
			}
		})
	}
}

func TestEarlyHintsReachTheClientWithoutTheAnswersFields(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, always("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nServer: s\r\n\r\n"+ok)))})
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h))
		return nil
	}})
	r, _ := http.NewRequestWithContext(ctx, "GET", g.URL, nil)
	res, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want(t, "hints", hints, "[103 map[Link:[</a>]]]")
	want(t, "the answer's link", res.Header.Get("Link"), "")
	want(t, "the answer's id", res.Header.Get("X-Request-Id"), "0123456789abcdef0123456789abcdef")
}

func TestARefusingUpstreamIsNotSentTheBodyThatWaits(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
		n, _ := io.Copy(io.Discard, p.in)
		if n != 0 {
			t.Errorf("%d bytes of a refused body arrived", n)
		}
	}))})
	c := g.dial(t)
	c.say("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
	if r, _, err := c.answer("POST"); err != nil || r.StatusCode != 413 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestAnAgreeingUpstreamGetsTheBodyThatWaits(t *testing.T) {
	for name, agrees := range map[string]bool{"by saying so": true, "by saying nothing for a while": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
				r := p.next()
				if agrees {
					p.say("HTTP/1.1 100 Continue\r\n\r\n")
				}
				b, _ := io.ReadAll(r.Body)
				p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b))
			}))}, timeoutOf(time.Minute))
			c := g.dial(t)
			c.say("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
			if l, err := c.in.ReadString('\n'); err != nil || !strings.Contains(l, " 100 ") {
				t.Fatalf("no 100: %q %v", l, err)
			}
			_, _ = c.in.ReadString('\n')
			c.say("hello")
			_, body, err := c.answer("POST")
			want(t, "echo", fmt.Sprint(body, err), "hello<nil>")
		})
	}
}

func TestAnEarlyAnswerReachesAClientThatIsStillSending(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nstop")
		p.untilGone()
	}))})
	c := g.dial(t)
	c.say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome")
	r, body, err := c.answer("POST")
	if err != nil || r.StatusCode != 403 || body != "stop" || !r.Close {
		t.Fatalf("%v %q %+v", err, body, r)
	}
	c.say(repeat("y", 1000) + plainGet)
	if r, _, err := c.answer("GET"); err == nil {
		t.Errorf("the rest of a body was read as a request: %+v", r)
	}
}

func TestHeadNoContentAndNotModifiedHaveNoBodyAndKeepTheConnection(t *testing.T) {
	answers := []string{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n"}
	b := script(t, func(p *peer) {
		for n := 0; p.next() != nil; n++ {
			p.say(answers[n%3])
		}
	})
	g := front(t, Config{Endpoints: urls(b)})
	c := g.dial(t)
	for i, method := range []string{"HEAD", "GET", "GET"} {
		c.say(strings.Replace(plainGet, "GET", method, 1))
		r, body, err := c.answer(method)
		if err != nil || body != "" || r.StatusCode != []int{200, 204, 304}[i] || i == 0 && r.Header.Get("Content-Length") != "10" {
			t.Fatalf("%s: %v %q %+v", method, err, body, r)
		}
		if i == 1 {
			want(t, "length of nothing", r.Header.Get("Content-Length"), "")
		}
	}
	want(t, "connections", b.conns.Load(), 1)
}

func TestAThousandRequestsShareAConnection(t *testing.T) {
	b := script(t, always(ok))
	g := front(t, Config{Endpoints: urls(b)})
	c := g.dial(t)
	for range 1000 {
		c.say(plainGet)
		if _, body, err := c.answer("GET"); err != nil || body != "ok" {
			t.Fatalf("%q %v", body, err)
		}
	}
	// A connection is put back beside the answer: on a busy machine the next
	// request may come first, and open another.
	if n := b.conns.Load(); n > 10 {
		t.Errorf("%d connections", n)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			_, _ = io.Copy(io.Discard, r.Body)
			p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.URL.Path), r.URL.Path))
		}
	}))})
	c := g.dial(t)
	c.say("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /3 HT")
	for _, path := range []string{"/1", "/2"} {
		if _, body, err := c.answer("GET"); err != nil || body != path {
			t.Fatalf("%q %v, want %s", body, err, path)
		}
	}
	c.say("TP/1.1\r\nHost: h\r\n\r\n")
	if _, body, err := c.answer("GET"); err != nil || body != "/3" {
		t.Fatalf("%q %v, want /3", body, err)
	}
}

func TestABodyThatEndsWithTheConnectionArrives(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) { p.next(); p.say("HTTP/1.1 200 OK\r\n\r\nuntil close") }))})
	res := g.do(t, "GET", "/x", nil)
	want(t, "body", text(t, res), "until close")
	want(t, "guessed content type", res.Header.Get("Content-Type"), "")
}

// TestLargeBodiesPassInConstantMemory sends 64 MiB up and gets them back down.
func TestLargeBodiesPassInConstantMemory(t *testing.T) {
	const size = 64 << 20
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		r := p.next()
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Sum: %x\r\nContent-Length: %d\r\n\r\n", sum.Sum(nil), n))
		_, _ = io.Copy(p.Conn, io.LimitReader(pattern{}, n))
	}))}, timeoutOf(time.Minute))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/x", io.LimitReader(pattern{}, size))
	r.ContentLength = size
	res, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, res.Body)
	runtime.ReadMemStats(&after)
	want(t, "bytes back", fmt.Sprint(n, err), fmt.Sprint(size, " <nil>"))
	want(t, "both sums", fmt.Sprintf("%x", sum.Sum(nil)), res.Header.Get("X-Sum"))
	want(t, "result", g.last(t).result.Bytes, size)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
		t.Errorf("%d bytes were allocated for %d that passed", allocated, 2*size)
	}
}

// pattern is an endless, cheap stream.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte("a"), min(len(p), 1)))
	return len(p), nil
}

func TestTheCanonicalPathAndTheQueryPassUnchanged(t *testing.T) {
	saw := make(chan string, 1)
	g := front(t, Config{Endpoints: urls(script(t, func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			saw <- r.RequestURI
			p.say(ok)
		}
	}))})
	for _, target := range []string{"/v1/hotels/Caf%C3%A9%20Noir", "/a:b@c!$&'()*+,=", "/x?a=%41&b=1+2&&c", "/x?", "/", "/x?q=/../%2e%2e"} {
		g.do(t, "GET", target, nil)
		want(t, "target", <-saw, target)
	}
}
