package upstream

import (
	"bytes"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portcullis/gateway/internal/pipeline"
)

// speaksH2 is a server of h2c that takes its requests' heads and answers each as
// it is told to, while everything else is read and forgotten.
func speaksH2(t *testing.T, answer func(framer *http2.Framer, stream uint32)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(conn, conn)
		_, _ = framer.WriteSettings(), framer.WriteSettingsAck()
		asked := make(chan uint32, 100)
		defer close(asked)
		go func() {
			for stream := range asked {
				answer(framer, stream)
			}
		}()
		for {
			f, err := framer.ReadFrame()
			if err != nil {
				return
			}
			if f.Header().Type == http2.FrameHeaders {
				asked <- f.Header().StreamID
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
	return l.Addr().String()
}

// head is a block of fields, two texts each.
func head(fields ...string) []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return block.Bytes()
}

// inParts writes a block as a HEADERS frame and as many CONTINUATIONs as it needs.
func inParts(f *http2.Framer, stream uint32, block []byte, last bool) {
	const most = 16 << 10
	first := block[:min(most, len(block))]
	block = block[len(first):]
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: last, EndHeaders: len(block) == 0})
	for len(block) > 0 {
		part := block[:min(most, len(block))]
		block = block[len(part):]
		if f.WriteContinuation(stream, len(block) == 0, part) != nil {
			return
		}
	}
}

// TestAnEndpointThatAbusesHTTP2IsBoundedAndLeftAlone: it costs its own answers
// and no memory to speak of, its breaker counts it, and another endpoint serves.
func TestAnEndpointThatAbusesHTTP2IsBoundedAndLeftAlone(t *testing.T) {
	const (
		mebibyte = 1 << 20
		flood    = 5_000 // frames
	)
	huge := head(":status", "200", "x-huge", strings.Repeat("h", mebibyte))
	for name, c := range map[string]struct {
		answer func(f *http2.Framer, stream uint32, sent *atomic.Int64)
		status int // what the client is told
	}{
		"CONTINUATION without end": {func(f *http2.Framer, stream uint32, sent *atomic.Int64) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(":status", "200")})
			part := bytes.Repeat(head("x-more", strings.Repeat("m", 100)), 100)
			for f.WriteContinuation(stream, false, part) == nil && sent.Add(int64(len(part))) < 64*mebibyte {
			}
		}, 502},
		"empty CONTINUATIONs without end": {func(f *http2.Framer, stream uint32, sent *atomic.Int64) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(":status", "200")})
			for i := 0; i < flood && f.WriteContinuation(stream, false, nil) == nil; i++ {
			}
		}, 504},
		"a huge field": {func(f *http2.Framer, stream uint32, _ *atomic.Int64) { inParts(f, stream, huge, true) }, 502},
		"a huge trailer": {func(f *http2.Framer, stream uint32, _ *atomic.Int64) {
			inParts(f, stream, head(":status", "200", "content-type", "text/plain"), false)
			_ = f.WriteData(stream, false, []byte("ok"))
			inParts(f, stream, head("x-huge", strings.Repeat("h", mebibyte)), true)
		}, 200},
		"PING without end": {func(f *http2.Framer, _ uint32, _ *atomic.Int64) {
			for i := 0; i < flood && f.WritePing(false, [8]byte{}) == nil; i++ {
			}
		}, 504},
		"SETTINGS without end": {func(f *http2.Framer, _ uint32, _ *atomic.Int64) {
			for i := 0; i < flood && f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i)}) == nil; i++ {
			}
		}, 504},
	} {
		t.Run(name, func(t *testing.T) {
			var sent, asked atomic.Int64
			addr := speaksH2(t, func(f *http2.Framer, stream uint32) { asked.Add(1); c.answer(f, stream, &sent) })
			good := speaksH2(t, func(f *http2.Framer, stream uint32) { inParts(f, stream, head(":status", "204"), true) })
			config := Config{Endpoints: []string{"http://" + addr}, Protocol: H2C}
			patience := timeoutOf(time.Minute)
			if c.status == 504 {
				patience = timeoutOf(400 * time.Millisecond)
			}
			alone := front(t, config, patience)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			res := alone.do(t, "POST", "/x", nil)
			want(t, "status", res.StatusCode, c.status)
			body, err := io.ReadAll(res.Body)
			runtime.ReadMemStats(&after)
			if c.status == 200 && err == nil {
				t.Errorf("the answer ends as if it were whole: %q, %v", body, res.Trailer)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 24*mebibyte {
				t.Errorf("it takes %d MiB", n/mebibyte)
			}
			if n := sent.Load(); n > 8*mebibyte {
				t.Errorf("%d MiB are listened to", n/mebibyte)
			}
			alone.last(t)
			if c.status == 200 {
				return // its head was an answer, and that is what breakers go by
			}
			want(t, "failures", alone.failures(), 1)

			config.Endpoints = append(config.Endpoints, "http://"+good)
			config.Breaker = BreakerConfig{Samples: 1, Failures: 1, Open: time.Minute}
			both := front(t, config, patience)
			asked.Store(0)
			served := 0
			for range 6 {
				if both.do(t, "POST", "/x", nil).StatusCode == 204 {
					served++
				}
			}
			if asked.Load() > 1 || served == 0 {
				t.Errorf("it is asked %d times more, and %d of 6 are served", asked.Load(), served)
			}
		})
	}
}

// TestATimeThatIsNoneExcusesNoEndpoint: grpc-timeout is the client's to write, and
// what it writes must neither hide that an endpoint fails nor have it blamed for
// ending a call whose time was over as it came.
func TestATimeThatIsNoneExcusesNoEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says []string
		want bool // the time is over, a second after the beginning
	}{
		"none":                    {nil, false},
		"nothing":                 {[]string{""}, false},
		"a unit alone":            {[]string{"S"}, false},
		"a number alone":          {[]string{"1"}, false},
		"one that is over":        {[]string{"999m"}, true},
		"one that lasts":          {[]string{"99S"}, false},
		"none left":               {[]string{"0n"}, true},
		"the smallest":            {[]string{"1n"}, true},
		"the most":                {[]string{"99999999n"}, true},
		"more digits than may be": {[]string{"999999999n"}, false},
		"hours past a duration":   {[]string{"99999999H"}, false},
		"minutes past one":        {[]string{"99999999M"}, false},
		"very many digits":        {[]string{strings.Repeat("9", 1000) + "n"}, false},
		"one in words":            {[]string{"soon"}, false},
		"a fraction":              {[]string{"0.1S"}, false},
		"hexadecimal":             {[]string{"0x1n"}, false},
		"another unit":            {[]string{"1s"}, false},
		"a space before":          {[]string{" 1n"}, false},
		"a space between":         {[]string{"1 n"}, false},
		"a unit beyond ASCII":     {[]string{"1µ"}, false},
		"two in one":              {[]string{"1n,1n"}, false},
		// Services read these leniently, and end the call at once.
		"a negative one":             {[]string{"-1n"}, true},
		"one with a sign":            {[]string{"+1n"}, true},
		"one twice, the last over":   {[]string{"99S", "1n"}, true},
		"one twice, the first over":  {[]string{"1n", "99S"}, true},
		"one twice, and none over":   {[]string{"99S", "98S"}, false},
		"one that is over, and none": {[]string{"1n", "soon"}, true},
	} {
		for protocol, want := range map[Protocol]bool{H2C: c.want, HTTP1: false} {
			x := newExchange()
			x.upstream = &Upstream{config: Config{Protocol: protocol}}
			x.tx = &pipeline.Transaction{Request: httptest.NewRequestWithContext(t.Context(), "POST", "/x", nil), Start: time.Now().Add(-time.Second)}
			x.tx.Request.Header["Grpc-Timeout"] = c.says
			if got := x.pastOwnBound(); got != want {
				t.Errorf("%s, %q, over %q: it is over: %v", name, c.says, protocol, got)
			}
		}
	}
	for says, c := range map[string]struct{ status, failures int }{"1n": {504, 0}, "-1n": {504, 0}, "1x": {502, 1}, "99999999H": {502, 1}} {
		addr, _ := breaksStreams(t, http2.ErrCodeCancel, http2.FlagHeadersEndHeaders)
		g := front(t, Config{Endpoints: []string{"http://" + addr}, Protocol: H2C})
		want(t, says, g.do(t, "POST", "/x", nil, "Grpc-Timeout", says).StatusCode, c.status)
		g.last(t)
		want(t, "failures after "+says, g.failures(), c.failures)
	}
}
