package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// frame is a frame of a WebSocket as clients send it, masked (RFC 6455 section
// 5.2). first is its first byte: FIN, and what it is.
func frame(first byte, payload []byte) []byte {
	return masked(first, 0x80, payload)
}

func masked(first, mask byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if mask == 0 {
		return append(b, payload...)
	}
	key := []byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, key...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

const (
	more, text, binaryFrame = 0x00, 0x01, 0x02
	closing, ping, pong     = 0x88, 0x89, 0x8a // control frames are whole
	final                   = 0x80
)

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

// goodbye is how a client that is done says so.
func goodbye() []byte { return frame(closing, append([]byte{0x03, 0xe8}, "bye"...)) }

// socketEcho is a real server of WebSockets: what comes in a message goes back in
// one; "hang up" has it close first.
func socketEcho(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled, Subprotocols: []string{"rooms.v1"}})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(8 << 20)
		for {
			kind, message, err := c.Read(context.Background())
			if err != nil {
				return
			}
			if string(message) == "hang up" {
				_ = c.Close(4001, "as you wish")
				return
			}
			if c.Write(context.Background(), kind, message) != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// heard is all that a server answers to these bytes, sent piece by piece, until
// it closes: its status line, the fields that are the application's, and every
// byte after them.
func heard(conn net.Conn, hostname, path string, pieces [][]byte) (string, []byte, error) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: rooms.v2, rooms.v1\r\n\r\n", path, hostname); err != nil {
		return "", nil, err
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return "", nil, err
	}
	head := fmt.Sprint(res.StatusCode, " ", res.Header.Get("Connection"), " ", res.Header.Get("Upgrade"), " ", res.Header.Get("Sec-WebSocket-Accept"), " ", res.Header.Get("Sec-WebSocket-Protocol"))
	go func() {
		for _, piece := range pieces {
			if _, err := conn.Write(piece); err != nil {
				return // the server has closed, as it should
			}
		}
	}()
	all, err := io.ReadAll(in)
	if errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "reset by peer") {
		err = nil // it closed while something of ours was still on its way
	}
	return head, all, err
}

// TestFramesOfAWebSocketAreTheSameAsDirect compares, byte for byte, what a
// server says to a client through the gateway and to one that is connected to it.
func TestFramesOfAWebSocketAreTheSameAsDirect(t *testing.T) {
	t.Parallel()
	server := socketEcho(t)
	backend := strings.TrimPrefix(server.URL, "http://")
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\nupstreams:\n  - {name: sockets, endpoints: [\"" + server.URL + "\"], credential: {none: the suite}}\n",
		"routes.yaml":  routes("sockets: GET /socket, upstream: sockets, websocket: true, timeout: 30s, " + openly),
	})
	s.startGateway()
	sizes := map[string][][]byte{}
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		sizes[fmt.Sprint("a message of ", n, " bytes")] = [][]byte{frame(final|binaryFrame, bytesOf(n)), goodbye()}
	}
	long := frame(final|text, bytes.Repeat([]byte("room "), 2000))
	var dribble [][]byte
	for i := range long[:512] {
		dribble = append(dribble, long[i:i+1])
	}
	conversations := map[string][][]byte{
		"a text":                               {frame(final|text, []byte("hello, höyhen")), goodbye()},
		"several in one piece":                 {slicesOf(frame(final|text, []byte("a")), frame(final|text, nil), frame(final|binaryFrame, bytesOf(300)), goodbye())},
		"a text in three fragments":            {frame(text, []byte("one ")), frame(more, []byte("two ")), frame(final|more, []byte("three")), goodbye()},
		"empty fragments":                      {frame(binaryFrame, nil), frame(more, nil), frame(final|more, bytesOf(10)), goodbye()},
		"a ping between fragments":             {frame(text, []byte("one ")), frame(ping, []byte("there?")), frame(final|more, []byte("two")), goodbye()},
		"a ping":                               {frame(ping, nil), goodbye()},
		"the longest ping":                     {frame(ping, bytesOf(125)), goodbye()},
		"a pong nobody asked for":              {frame(pong, []byte("here")), frame(final|text, []byte("a")), goodbye()},
		"a close without a reason":             {frame(closing, nil)},
		"the server closes":                    {frame(final|text, []byte("hang up")), frame(closing, []byte{0x0f, 0xa1})},
		"byte by byte":                         append(dribble, long[512:], goodbye()),
		"a frame that is not masked ends it":   {masked(final|text, 0, []byte("a"))},
		"a reserved opcode is 1002":            {frame(final|0x03, nil)},
		"a ping that is too long is 1002":      {frame(ping, bytesOf(126))},
		"a fragment of nothing is 1002":        {frame(final|more, []byte("a"))},
		"a reserved bit is 1002":               {frame(final|0x40|text, []byte("a"))},
		"what looks like a request is no such": {frame(final|text, []byte("\r\n\r\nGET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n")), goodbye()},
	}
	for name, pieces := range sizes {
		conversations[name] = pieces
	}
	for name, pieces := range conversations {
		t.Run(name, func(t *testing.T) {
			direct, err := net.Dial("tcp", backend)
			if err != nil {
				t.Fatal(err)
			}
			wantHead, want, err := heard(direct, backend, "/socket", pieces)
			if err != nil {
				t.Fatal(err)
			}
			through, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}})
			if err != nil {
				t.Fatal(err)
			}
			head, got, err := heard(through, host(s.gatewayURL), "/socket", pieces)
			if err != nil || head != wantHead || !bytes.Equal(got, want) {
				t.Errorf("through the gateway %q and %d bytes, %v; direct %q and %d bytes", head, len(got), err, wantHead, len(want))
			}
			if len(want) == 0 && name != "a frame that is not masked ends it" || !strings.HasPrefix(wantHead, "101 Upgrade websocket") {
				t.Errorf("direct: %q and %d bytes prove nothing", wantHead, len(want))
			}
		})
	}
}

func slicesOf(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// TestNoUpgradeButAWebSocketWhereTheRouteSaysSo: past any other no policy would
// be asked.
func TestNoUpgradeButAWebSocketWhereTheRouteSaysSo(t *testing.T) {
	t.Parallel()
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\nupstreams:\n  - {name: backend, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\n",
		"routes.yaml": routes("sockets: \"GET,POST /socket\", upstream: backend, websocket: true, "+openly,
			"plain: \"GET,POST /plain\", upstream: backend, "+openly),
	})
	s.startGateway()
	const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, head := range map[string]string{
		"websocket on another route":        "GET /plain HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + key,
		"h2c":                               "GET /socket HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"h2c on another route":              "GET /plain HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"h2c without saying so":             "GET /socket HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"TLS in the middle":                 "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
		"two Upgrade fields":                "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n" + key,
		"two Upgrade fields, both the same": "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n" + key,
		"two protocols in one field":        "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n" + key,
		"by POST":                           "POST /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n" + key,
		"with a body":                       "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n" + key,
		"of HTTP/1.0":                       "GET /socket HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
		"a tunnel":                          "CONNECT localhost:22 HTTP/1.1\r\n",
	} {
		before := s.backend.served.Load()
		status, body := s.raw(strings.Replace(head, "\r\n", "\r\nHost: "+host(s.gatewayURL)+"\r\n", 1) + "\r\n")
		if status != 400 && status != 421 || s.backend.served.Load() != before {
			t.Errorf("%s: %d %s; it reached the backend: %v", name, status, body, s.backend.served.Load() != before)
		}
	}
}
