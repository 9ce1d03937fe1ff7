//go:build !race

package upstream

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// The race detector allocates, and makes pools forget on purpose.

// prepared is a network that answers at once and allocates nothing.
type prepared struct{ answer *http.Response }

func (p prepared) RoundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("")
	trace.GotConn(httptrace.GotConnInfo{})
	trace.WroteRequest(httptrace.WroteRequestInfo{})
	return p.answer, nil
}

// discarding is a client that keeps nothing.
type discarding http.Header

func (d discarding) Header() http.Header         { return http.Header(d) }
func (d discarding) WriteHeader(int)             { clear(d) }
func (d discarding) Write(p []byte) (int, error) { return len(p), nil }

func TestAPlainForwardAllocatesLittle(t *testing.T) {
	answer := &http.Response{StatusCode: 200, ContentLength: 0, Body: http.NoBody, Header: http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"0"}}}
	u, err := New(Config{Name: "rooms", Endpoints: []string{"http://a:1"}, RoundTrip: prepared{answer}, Credential: fixed("t")})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/x?a=b", nil)
	for _, name := range []string{"User-Agent", "Accept", "Accept-Language", "Cookie", "Authorization", "Origin", "Referer"} {
		r.Header.Set(name, "v")
	}
	tx := &pipeline.Transaction{Request: r, Route: &pipeline.Route{Timeout: time.Minute}, Path: "/x", ID: "0123456789abcdef0123456789abcdef", Source: netip.MustParseAddr("192.0.2.7")}
	forward, w := u.Forwarder(RouteOptions{}), discarding{}
	got := testing.AllocsPerRun(1000, func() {
		if result, err := forward.Forward(w, tx); err != nil || result.Status != 200 {
			t.Fatal(result, err)
		}
	})
	// The trace, the breaker's function, and the field that carries no type.
	if most := 4.0; got > most {
		t.Errorf("%v allocations, at most %v", got, most)
	}
}

// answering is a connection to an endpoint that answers at once.
type answering struct {
	net.Conn
	left string
}

func (*answering) Close() error { return nil } // by the sweep of idle connections, if the other tests take long

func (a *answering) Write(p []byte) (int, error) { a.left = ok; return len(p), nil }
func (a *answering) Read(p []byte) (int, error) {
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}

// TestAnExchangeOnAKeptConnectionAllocatesLittleBesideTheAnswer itself.
func TestAnExchangeOnAKeptConnectionAllocatesLittleBesideTheAnswer(t *testing.T) {
	d := newDirect(Config{Name: "rooms", Endpoints: []string{"http://a:1"}}.withDefaults())
	l := d.lines["a:1"]
	l.keep(newWire(l, &answering{}))
	r, err := http.NewRequestWithContext(newLifetime(&httptrace.ClientTrace{}), "GET", "http://a:1/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64)
	whole := testing.AllocsPerRun(1000, func() {
		res, err := d.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = res.Body.Read(buffer)
		}
	})
	in := bufio.NewReader(&answering{left: ok})
	answer := testing.AllocsPerRun(1000, func() {
		in.Reset(&answering{left: ok})
		if _, err := http.ReadResponse(in, r); err != nil {
			t.Fatal(err)
		}
	})
	if whole > answer+8 {
		t.Errorf("%v allocations, and reading the answer alone has %v", whole, answer)
	}
	t.Logf("%v allocations, %v of the answer", whole, answer)
}
