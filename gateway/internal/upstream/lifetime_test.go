package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func TestAChildEndsWithTheLifetimeAndForItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLifetime(&httptrace.ClientTrace{})
		child, cancel := context.WithCancel(l)
		defer cancel()
		left, leave := context.WithCancel(l)
		leave()
		synctest.Wait()
		want(t, "the lifetime of a child that left", l.Err(), nil)
		l.end(errTimeout)
		l.end(context.Canceled)
		<-child.Done()
		want(t, "why the child ended", context.Cause(child), errTimeout)
		want(t, "why the other did", context.Cause(left), context.Canceled)
		late, cancelLate := context.WithCancel(l)
		defer cancelLate()
		<-late.Done()
	})
}

func TestALifetimeWithAChildServesNoOtherExchange(t *testing.T) {
	l := newLifetime(&httptrace.ClientTrace{})
	want(t, "a new one is free", l.unused(), true)
	_, cancel := context.WithCancel(l)
	want(t, "with a child", l.unused(), false)
	cancel()
	want(t, "without it", l.unused(), true)
	l.end(context.Canceled)
	want(t, "after its end", l.unused(), false)
}

func TestTheHooksAreFoundAndNothingElse(t *testing.T) {
	hooks := &httptrace.ClientTrace{}
	l := newLifetime(hooks)
	want(t, "the hooks", httptrace.ContextClientTrace(l) != nil, true)
	want(t, "the server", l.Value(http.ServerContextKey), nil)
}

// silent is a network on which nobody answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GetConn("")
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestAnExchangeEndsWithItsTimeOrItsClient(t *testing.T) {
	for name, c := range map[string]struct {
		bound, leaves, ends time.Duration
		code                problem.Code
	}{
		"a time within patience":                 {10 * time.Millisecond, 0, 10 * time.Millisecond, problem.GatewayTimeout},
		"a longer time":                          {time.Second, 0, time.Second, problem.GatewayTimeout},
		"a client that leaves":                   {time.Second, 300 * time.Millisecond, 300 * time.Millisecond, problem.ClientClosed},
		"a client that leaves at once is missed": {time.Second, time.Millisecond, patience, problem.ClientClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, err := New(Config{Name: "rooms", Endpoints: []string{"http://a:1"}, RoundTrip: silent{}})
				if err != nil {
					t.Fatal(err)
				}
				client, leave := context.WithCancel(t.Context())
				defer leave()
				if c.leaves > 0 {
					time.AfterFunc(c.leaves, leave)
				}
				began := time.Now()
				tx := &pipeline.Transaction{Request: httptest.NewRequestWithContext(client, "GET", "/x", nil), Route: &pipeline.Route{Timeout: c.bound}, Path: "/x"}
				_, err = u.Forwarder(RouteOptions{}).Forward(httptest.NewRecorder(), tx)
				p, isProblem := errors.AsType[*problem.Problem](err)
				if !isProblem || p.Code != c.code {
					t.Errorf("it ended with %v", err)
				}
				want(t, "it took", time.Since(began), c.ends)
				*tx = pipeline.Transaction{} // somebody else's now: a timer that looked at it would panic
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestExchangesUsedAgainDoNotMix: clients that come, leave and are slow share
// what is used again; each must get its own answer, and no backend may see another's
// fields. The race detector looks on.
func TestExchangesUsedAgainDoNotMix(t *testing.T) {
	b := script(t, func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			if r.URL.Path == "/slow" {
				time.Sleep(patience + 5*time.Millisecond)
			}
			mixed := r.Header.Get("X-Forwarded-For") != r.Header.Get("X-Mine")
			for name := range r.Header {
				of, secret := strings.CutPrefix(name, "X-Secret-Of-")
				mixed = mixed || secret && !strings.EqualFold("/"+of, r.URL.Path)
			}
			if mixed {
				p.say(status(500))
				return
			}
			p.say("HTTP/1.1 200 OK\r\nX-Path: " + r.URL.Path + "\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	g := front(t, Config{Endpoints: urls(b)}, timeoutOf(time.Minute), func(g *gate) {
		g.prep = func(tx *pipeline.Transaction) { tx.Source = netip.MustParseAddr(tx.Request.Header.Get("X-Mine")) }
	})
	var clients sync.WaitGroup
	for i, path := range []string{"/a", "/slow", "/b", "/leaves"} {
		clients.Go(func() {
			mine := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String()
			for range 5 {
				c := g.dial(t)
				for range 2 {
					c.say("GET " + path + " HTTP/1.1\r\nHost: h\r\nX-Mine: " + mine + "\r\nX-Secret-Of-" + path[1:] + ": s\r\n\r\n")
					if path == "/leaves" {
						break
					}
					if r, _, err := c.answer("GET"); err != nil || r.StatusCode != 200 || r.Header.Get("X-Path") != path {
						t.Errorf("%s: %v %+v", path, err, r)
						return
					}
				}
				_ = c.Close()
			}
		})
	}
	clients.Wait()
}
