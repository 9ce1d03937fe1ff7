package upstream

import (
	"io"
	"testing"
	"time"
)

// TestASlowClientOpensNoBreaker: attackers who let the end of a body come a
// moment before the time is up, or who stay longer than the endpoint waits, blame
// it for what they did, and would have it taken away from everybody.
func TestASlowClientOpensNoBreaker(t *testing.T) {
	t.Parallel()
	silent := func(p *peer) {
		if r := p.next(); r != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		p.untilGone()
	}
	const head = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell"
	patient := func(d time.Duration, says string) func(*peer) {
		return func(p *peer) {
			p.next()
			<-time.After(d)
			p.say(says)
		}
	}
	const refusal = "HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct {
		backend func(*peer)
		bound   time.Duration
		last    time.Duration // when the last byte of the body comes
		failed  int
	}{
		"whose last byte leaves no time for an answer": {silent, 4 * time.Second, 3 * time.Second, 0},
		"whose endpoint loses patience first":          {patient(2*time.Second, ""), time.Minute, 3 * time.Second, 0},
		"whose endpoint answers so":                    {patient(2*time.Second, refusal), time.Minute, 3 * time.Second, 0},
		"is none when the endpoint hangs up at once":   {patient(0, ""), time.Minute, time.Millisecond, 1},
		"is none when it fails at once":                {patient(0, refusal), time.Minute, time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := front(t, Config{Endpoints: urls(script(t, c.backend))}, timeoutOf(c.bound))
			client := g.dial(t)
			client.say(head)
			<-time.After(c.last)
			client.say("o")
			res, _, err := client.answer("POST")
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode < 400 {
				t.Errorf("the status is %d", res.StatusCode)
			}
			want(t, "failures of the endpoint", g.failures(), c.failed)
		})
	}
}

// TestAProbeIsNotHeldByASlowClient: a breaker that is half open waits for its
// probe, which may keep its body back for as long as its route lets it.
func TestAProbeIsNotHeldByASlowClient(t *testing.T) {
	t.Parallel()
	b := script(t, always(ok))
	g := front(t, Config{Endpoints: urls(b), Breaker: BreakerConfig{Open: 10 * time.Millisecond}}, timeoutOf(5*time.Minute))
	for range 20 {
		_, _, done := g.up.pick(0)
		done(errFailed)
	}
	for g.up.Status()[0].Breaker != "half-open" {
		<-time.After(10 * time.Millisecond)
	}
	held := g.dial(t)
	held.say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell")
	for deadline := time.Now().Add(time.Minute); b.hits.Load() == 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing probes the endpoint")
		}
	}
	for deadline := time.Now().Add(time.Minute); g.do(t, "GET", "/x", nil).StatusCode != 200; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a client holds the probe, and everybody else waits")
		}
	}
	want(t, "breaker", g.up.Status()[0].Breaker, "closed")
}
