package upstream

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// breaksStreams is a server of HTTP/2 that ends every request with an error, as
// soon as it has its head, or once it has all of it.
func breaksStreams(t *testing.T, code http2.ErrCode, last http2.Flags) (addr string, requests *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	requests = new(atomic.Int32)
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(conn, conn)
		_ = framer.WriteSettings()
		for {
			f, err := framer.ReadFrame()
			if err != nil {
				return
			}
			if settings, ok := f.(*http2.SettingsFrame); ok && !settings.IsAck() {
				_ = framer.WriteSettingsAck()
			}
			if h := f.Header(); (h.Type == http2.FrameHeaders || h.Type == http2.FrameData) && h.Flags.Has(last) {
				requests.Add(1)
				_ = framer.WriteRSTStream(h.StreamID, code)
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String(), requests
}

// TestAPostIsNotSentTwiceOverHTTP2: the service may have done what was asked.
func TestAPostIsNotSentTwiceOverHTTP2(t *testing.T) {
	t.Parallel()
	buffered := func(g *gate) {
		g.prep = func(tx *pipeline.Transaction) {
			if err := tx.ReadBody(1 << 10); err != nil {
				t.Error(err)
			}
		}
	}
	for name, c := range map[string]struct {
		body string
		tune func(*gate)
	}{
		"without a body":           {"", func(*gate) {}},
		"with a body on its way":   {"book", func(*gate) {}},
		"with a body that is kept": {"book", buffered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, requests := breaksStreams(t, http2.ErrCodeProtocol, http2.FlagDataEndStream)
			g := front(t, Config{Endpoints: []string{"http://" + addr}, Protocol: H2C}, c.tune)
			res := g.do(t, "POST", "/x", strings.NewReader(c.body))
			want(t, "status", res.StatusCode, 502)
			want(t, "requests", requests.Load(), 1)
		})
	}
}

// TestAStreamThatItsEndpointEndsWaitsForNoClient: who began to send and then
// waits for the answer gets one, whoever has to end the read of what comes next.
func TestAStreamThatItsEndpointEndsWaitsForNoClient(t *testing.T) {
	t.Parallel()
	for _, code := range []http2.ErrCode{http2.ErrCodeRefusedStream, http2.ErrCodeInternal, http2.ErrCodeProtocol} {
		addr, _ := breaksStreams(t, code, http2.FlagHeadersEndHeaders)
		g := front(t, Config{Endpoints: []string{"http://" + addr}, Protocol: H2C}, timeoutOf(10*time.Minute))
		c := g.dial(t)
		_ = c.SetDeadline(time.Now().Add(45 * time.Second))
		c.say("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		if r, _, err := c.answer("POST"); err != nil || r.StatusCode != 502 || !r.Close {
			t.Errorf("%v: %+v %v", code, r, err)
		}
		if o := g.last(t); o.client != nil {
			t.Errorf("%v: the client is told to have failed: %v", code, o.client)
		}
		want(t, "failures", g.failures(), 1)
	}
}

// TestAConnectionThatWasThereIsNoMistakeOfTheClients: a request that is given a
// connection which another had dialled is not asked whether it wants one.
func TestAConnectionThatWasThereIsNoMistakeOfTheClients(t *testing.T) {
	t.Parallel()
	x := newExchange()
	x.upstream = &Upstream{}
	x.tx = &pipeline.Transaction{Request: httptest.NewRequestWithContext(t.Context(), "POST", "/x", nil)}
	want(t, "never sent", x.explain(t.Context(), io.ErrUnexpectedEOF).problem.Code, problem.BadRequest)
	x.hooks.GotConn(httptrace.GotConnInfo{})
	want(t, "sent and lost", x.explain(t.Context(), io.ErrUnexpectedEOF).problem.Code, problem.BadGateway)
}

// TestOneProtocolIsSpokenAndNoOther: an endpoint that offers less is broken.
func TestOneProtocolIsSpokenAndNoOther(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	server.StartTLS() // without HTTP/2
	t.Cleanup(server.Close)
	trusting := server.Client().Transport.(*http.Transport).TLSClientConfig
	g := front(t, Config{Endpoints: []string{server.URL}, Protocol: HTTP2, TLS: trusting})
	if res := g.do(t, "GET", "/x", nil); res.StatusCode < 502 {
		t.Errorf("an endpoint without HTTP/2 answers %d", res.StatusCode)
	}
	g = front(t, Config{Endpoints: urls(script(t, always(ok))), Protocol: H2C})
	if res := g.do(t, "GET", "/x", nil); res.StatusCode < 502 {
		t.Errorf("an endpoint without h2c answers %d", res.StatusCode)
	}
	want(t, "requests that arrived", reached.Load(), 0)
	for name, c := range map[string]Config{
		"h2 by plain http": {Name: "u", Endpoints: []string{"http://a.test"}, Protocol: HTTP2},
		"h2c by https":     {Name: "u", Endpoints: []string{"https://a.test"}, Protocol: H2C},
		"h3":               {Name: "u", Endpoints: []string{"https://a.test"}, Protocol: "h3"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	a, err := New(Config{Name: "u", Endpoints: []string{"https://a.test"}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "another protocol makes the same upstream", a.Same(Config{Name: "u", Endpoints: []string{"https://a.test"}, Protocol: HTTP2}), false)
}

// TestAGetAfterAPostHasNoBody: an exchange is used again, and a POST without a
// body has one that only keeps it from being sent twice. With it a GET would be
// sent as one whose body has an unknown length, which many services refuse.
func TestAGetAfterAPostHasNoBody(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.ContentLength != 0 {
			w.WriteHeader(http.StatusBadRequest)
		}
	})}
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	g := front(t, Config{Endpoints: []string{"http://" + l.Addr().String()}, Protocol: H2C})
	for range 20 {
		want(t, "POST", g.do(t, "POST", "/x", nil).StatusCode, "200")
		want(t, "GET", g.do(t, "GET", "/x", nil).StatusCode, "200")
	}
}
