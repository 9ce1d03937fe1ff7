package upstream

import (
	"io"
	"strings"
	"testing"
)

// TestTrailersOfAClientOpenNoBreaker: written anew a trailer grows by the space
// behind its colon, and HTTP/2 allows more of them than the check of what we say
// to HTTP/1.1 endpoints. Who sends many must not have the endpoint blamed for
// what was never said to it.
func TestTrailersOfAClientOpenNoBreaker(t *testing.T) {
	t.Parallel()
	b := script(t, func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			p.say(ok)
		}
	})
	g := front(t, Config{Endpoints: urls(b)})
	for range 40 {
		c := g.dial(t)
		c.say("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\n" + strings.Repeat("X:y\r\n", 600) + "\r\n")
		res, _, err := c.answer("POST")
		if err != nil {
			t.Fatal(err)
		}
		want(t, "status", res.StatusCode, "431")
		if o := g.last(t); o.client == nil {
			t.Fatalf("the client is not blamed: %v", o.err)
		}
		_ = c.Close()
	}
	want(t, "failures of the endpoint", g.failures(), "0")
	want(t, "others are served", g.do(t, "GET", "/x", nil).StatusCode, "200")
}
