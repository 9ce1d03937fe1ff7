package framing

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// head is a browser's request with a bearer, 1.3 KB.
var head = []byte("GET /bookings/search?city=Helsinki&from=2026-12-01&to=2026-12-04&guests=2 HTTP/1.1\r\nHost: api.hotel.test\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36\r\n" +
	"Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Referer: https://hotel.example/search\r\nCookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark\r\nSec-Fetch-Site: same-origin\r\n" +
	"X-Request-Id: 7d9f0c1e\r\nAuthorization: Bearer " + strings.Repeat("a", 670) + "\r\n\r\n")

// answer is what a service answers with, 1 KiB of JSON.
var answer = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 26 Nov 2026 07:00:00 GMT\r\nVary: Accept-Encoding\r\n" +
	"Cache-Control: no-store\r\nX-Request-Id: 7d9f0c1e\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("j", 1024))

// loop is a connection on which the same bytes come for ever.
type loop struct {
	net.Conn
	bytes []byte
}

func (l *loop) Read(p []byte) (int, error)  { return copy(p, l.bytes), nil }
func (l *loop) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkFraming is what the check adds to one request and to one answer,
// beside finding the line ends alone and beside a plain copy.
func BenchmarkFraming(b *testing.B) {
	buf := make([]byte, 4096)
	b.Run("request", func(b *testing.B) {
		conn := NewServer(&loop{bytes: head}, nil)
		b.ReportAllocs()
		b.SetBytes(int64(len(head)))
		for b.Loop() {
			if n, err := conn.Read(buf); n != len(head) || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("request and answer, upstream", func(b *testing.B) {
		conn := NewClient(&loop{bytes: answer})
		b.ReportAllocs()
		b.SetBytes(int64(len(head) + len(answer)))
		for b.Loop() {
			if n, err := conn.Write(head); n != len(head) || err != nil {
				b.Fatal(n, err)
			}
			if n, err := conn.Read(buf); n != len(answer) || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("baseline: line ends of the request", func(b *testing.B) {
		conn := &loop{bytes: head}
		b.SetBytes(int64(len(head)))
		for b.Loop() {
			n, _ := conn.Read(buf)
			for rest := buf[:n]; len(rest) > 0; {
				rest = rest[bytes.IndexByte(rest, '\n')+1:]
			}
		}
	})
	b.Run("baseline: copy of the request", func(b *testing.B) {
		var conn io.Reader = &loop{bytes: head}
		b.SetBytes(int64(len(head)))
		for b.Loop() {
			_, _ = conn.Read(buf)
		}
	})
}

func TestAMessageAllocatesNothing(t *testing.T) {
	buf := make([]byte, 4096)
	read := func(conn net.Conn, want int) {
		for want > 0 {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			want -= n
		}
	}
	chunked := []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n")
	for name, request := range map[string][]byte{
		"a request":                        head,
		"chunks and trailers":              chunked,
		"a target in absolute form":        []byte("GET http://api.hotel.test/ HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n"),
		"an upgrade that comes to nothing": []byte("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"),
	} {
		for _, piece := range []int{4096, 5} {
			conn := NewServer(&pieces{in: request, again: true, cut: func() int { return piece }}, nil)
			read(conn, 4*len(request)) // what the connection keeps
			if n := testing.AllocsPerRun(100, func() { read(conn, len(request)) }); n > 0 {
				t.Errorf("%s in pieces of %d: %v allocations", name, piece, n)
			}
		}
	}
	conn := NewClient(&loop{bytes: answer})
	if n := testing.AllocsPerRun(100, func() {
		if _, err := conn.Write(head); err != nil {
			t.Fatal(err)
		}
		read(conn, len(answer))
	}); n > 0 {
		t.Errorf("a request to a backend and its answer: %v allocations", n)
	}
}
