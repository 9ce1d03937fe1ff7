package listen_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portcullis/gateway/internal/listen"
	"portcullis/services/chassis"
)

// hello is the first thing a client says, cut off: the server waits for the rest.
const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"

// TestHandshakesThatNeverEndAreCutOffInTime: a connection that says nothing, and
// one that stops within its hello.
func TestHandshakesThatNeverEndAreCutOffInTime(t *testing.T) {
	t.Parallel()
	p := open(t, setup{snapshot: balancers("127.0.0.9/32"), config: listen.Config{Handshake: 50 * time.Millisecond}})
	for name, c := range map[string]struct {
		from byte
		says string
	}{
		"a client that says nothing":               {2, ""},
		"a client that stops within its hello":     {2, hello},
		"a balancer that says nothing":             {9, ""},
		"a balancer that stops within its header":  {9, "PROXY TCP4 203.0.113.7"},
		"a client that stops behind a good header": {9, "PROXY TCP4 203.0.113.7 10.0.0.1 256 443\r\n"},
	} {
		conn := p.dial(c.from)
		_, err := io.WriteString(conn, c.says)
		check(t, err)
		if !hungUp(conn) {
			t.Errorf("%s holds its connection", name)
		}
	}
	if late, headers := p.count("portcullis_connections_total", "handshake_timeout"), p.count("portcullis_connections_total", "proxy_header"); late != 3 || headers != 2 {
		t.Errorf("counted are %v handshakes and %v headers", late, headers)
	}
}

// TestOneSourceCannotHoldEveryHandshake: it is hung up on beyond its share, and
// others go on.
func TestOneSourceCannotHoldEveryHandshake(t *testing.T) {
	t.Parallel()
	p := open(t, setup{config: listen.Config{Handshake: never, HandshakesPerSource: 4}})
	until(t, "the source has its share, and not one handshake more", func() bool {
		// One may have met with what the try before was still doing, and is gone.
		_, err := io.WriteString(p.dial(2), hello)
		check(t, err)
		_, err = get(p.dial(2), p.client())
		return err != nil
	})
	if _, err := get(p.dial(3), p.client()); err != nil {
		t.Errorf("another source is locked out: %v", err)
	}
}

// TestHandshakesThatWaitKeepNobodyFromTheProcessor: only what computes has a
// turn. There are fewer turns than handshakes that stopped half way.
func TestHandshakesThatWaitKeepNobodyFromTheProcessor(t *testing.T) {
	t.Parallel()
	p := open(t, setup{config: listen.Config{Handshake: never, HandshakesPerSource: 1000}})
	const many = 100
	for range many {
		_, err := io.WriteString(p.dial(2), hello)
		check(t, err)
	}
	until(t, "all of them are under way", func() bool { return p.count("portcullis_connections_open", "handshake") == many })
	if _, err := get(p.dial(3), p.client()); err != nil {
		t.Error(err)
	}
}

// TestWhoeverAsksForNothingMakesPlace: every place is taken by connections from
// many addresses that say nothing, some of them behind a good handshake, and more
// wait. A client gets in.
func TestWhoeverAsksForNothingMakesPlace(t *testing.T) {
	t.Parallel()
	const places = 32
	p := open(t, setup{limits: chassis.Limits{Connections: places}, config: listen.Config{Handshake: never}})
	for i := range 2 * places {
		conn := p.dial(byte(10 + i%100))
		if i%2 == 0 && i < places {
			check(t, tls.Client(conn, p.client()).Handshake())
		}
	}
	if _, err := get(p.dial(2), p.client()); err != nil {
		t.Errorf("a client found no place: %v", err)
	}
	if n := p.count("portcullis_connections_relieved_total", ""); n == 0 {
		t.Error("nobody made place")
	}
}

// TestARequestUnderWayKeepsItsPlace whoever waits.
func TestARequestUnderWayKeepsItsPlace(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	p := open(t, setup{limits: chassis.Limits{Connections: 1}, config: listen.Config{Handshake: never}, handler: func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-finish
		_, _ = io.WriteString(w, "done")
	}})
	answer := make(chan string)
	busy, waits := p.dial(2), p.dial(3)
	go func() {
		got, _ := get(busy, p.client())
		answer <- got
	}()
	<-begun
	waiting := make(chan string)
	go func() {
		got, _ := get(waits, p.client())
		waiting <- got
	}()
	// Patience with those who ask for nothing ends after a second; more than
	// that passes here, or the other one would get in at once.
	select {
	case <-begun:
		t.Error("another connection was served beside the only one there may be")
	case <-time.After(1500 * time.Millisecond):
	}
	close(finish)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	<-begun
	if got := <-waiting; got != "done" {
		t.Errorf("the one that waited got %q", got)
	}
}

// TestAHandshakeUnderWayEndsWithTheListener: the server knows nothing of it, and
// would leave it behind.
func TestAHandshakeUnderWayEndsWithTheListener(t *testing.T) {
	t.Parallel()
	p := open(t, setup{snapshot: balancers("127.0.0.9/32"), config: listen.Config{Handshake: never}})
	conns := []net.Conn{p.dial(2), p.dial(9)}
	_, err := io.WriteString(conns[0], hello)
	check(t, err)
	until(t, "both are under way", func() bool { return p.count("portcullis_connections_open", "handshake") == 2 })
	check(t, p.server.Shutdown(t.Context()))
	for _, conn := range conns {
		if !hungUp(conn) {
			t.Error("a handshake outlived the listener")
		}
	}
	until(t, "nothing is left", func() bool { return p.count("portcullis_connections_open", "handshake") == 0 })
}

// TestAClientThatReadsNothingIsHungUpOn, long before the time that an answer may
// take.
func TestAClientThatReadsNothingIsHungUpOn(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	p := open(t, setup{config: listen.Config{Stall: 100 * time.Millisecond}, handler: func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for part := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(part)
		}
		ended <- err
	}})
	p.server.WriteTimeout = time.Hour
	secure := tls.Client(p.dial(2), p.client())
	_, err := io.WriteString(secure, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	check(t, err)
	select {
	case <-ended:
	case <-time.After(never):
		t.Fatal("the answer is still being written to a client that does not read")
	}
}

// TestASlowAnswerIsNotAStall: time between two writes does not count, and what is
// read counts from then on.
func TestASlowAnswerIsNotAStall(t *testing.T) {
	t.Parallel()
	const stall = 60 * time.Millisecond
	p := open(t, setup{config: listen.Config{Stall: stall}, handler: func(w http.ResponseWriter, _ *http.Request) {
		for range 5 {
			<-time.After(stall * 3 / 2)
			_, _ = io.WriteString(w, "part ")
			_ = http.NewResponseController(w).Flush()
		}
	}})
	if got, err := get(p.dial(2), p.client()); err != nil || got != "part part part part part " {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAPrefaceAsksForNothing: an HTTP/2 connection is no client before it has
// opened a stream, and makes place as soon as any other that is silent.
func TestAPrefaceAsksForNothing(t *testing.T) {
	t.Parallel()
	p := open(t, setup{config: listen.Config{Handshake: never}})
	config := p.client()
	config.NextProtos = []string{"h2"}
	secure := tls.Client(p.dial(2), config)
	_, err := io.WriteString(secure, http2.ClientPreface)
	check(t, err)
	framer := http2.NewFramer(secure, secure)
	check(t, framer.WriteSettings())
	for acknowledged := false; !acknowledged; {
		frame, err := framer.ReadFrame()
		check(t, err)
		acknowledged = frame.Header().Type == http2.FrameSettings && frame.Header().Flags.Has(http2.FlagSettingsAck)
	}
	if n := p.count("portcullis_connections_open", "silent"); n != 1 {
		t.Errorf("%v connections are silent", n)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}} {
		check(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	check(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}))
	until(t, "it is idle once it was answered", func() bool { return p.count("portcullis_connections_open", "idle") == 1 })
}
