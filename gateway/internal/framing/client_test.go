package framing

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// backend is a TCP server that answers each request with the bytes that answer
// gives, in pieces, and counts what it was asked.
type backend struct {
	url   string
	asked atomic.Int32
	conns atomic.Int32
}

func newBackend(t *testing.T, piece int, answer func(r *http.Request) string) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b := &backend{url: "http://" + l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Add(1)
			go func() {
				defer conn.Close()
				for r := bufio.NewReader(conn); ; {
					request, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, request.Body)
					b.asked.Add(1)
					for text := answer(request); len(text) > 0; {
						n := min(piece, len(text))
						if _, err := io.WriteString(conn, text[:n]); err != nil {
							return
						}
						text = text[n:]
					}
					if request.URL.Path == "/close" {
						return
					}
				}
			}()
		}
	}()
	return b
}

// transport is an http.Transport over checked connections.
func transport(t *testing.T) *http.Transport {
	tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return NewClient(conn), nil
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// fetch asks once; whether it fails before or in the body is all the same.
func fetch(t *testing.T, tr *http.Transport, method, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	return res, string(content), err
}

// malformed are answers that two parsers read differently.
var malformed = map[string]struct{ bytes, reason string }{
	"a length beside a coding":           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "content_length_and_transfer_encoding"},
	"two equal lengths":                  {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "content_length"},
	"two lengths":                        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "content_length"},
	"a list of lengths":                  {"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "content_length"},
	"a length with a sign":               {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "content_length"},
	"an empty length":                    {"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok", "content_length"},
	"a coding other than chunked":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", "transfer_encoding"},
	"two codings":                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"a coding on HTTP/1.0":               {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"a coding on 204":                    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"a length on 204":                    {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "content_length"},
	"a length on 103":                    {"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok", "content_length"},
	"lines that end with LF":             {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "line_end"},
	"a CR in a value":                    {"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 0\r\nContent-Length: 2\r\n\r\nok", "line_end"},
	"a folded field":                     {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n z\r\n\r\nok", "folded_field"},
	"a space before the colon":           {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", "field_name"},
	"a field without a name":             {"HTTP/1.1 200 OK\r\n: y\r\nContent-Length: 2\r\n\r\nok", "field_name"},
	"NUL in a value":                     {"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 2\r\n\r\nok", "control_character"},
	"a version that does not exist":      {"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", "status_line"},
	"a status of two digits":             {"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", "status_line"},
	"a status with a sign":               {"HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nok", "status_line"},
	"no status line":                     {"hello\r\n\r\n", "status_line"},
	"an empty line before the answer":    {"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "empty_line"},
	"an extension of a chunk":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\n\r\n", "chunk"},
	"an extension of the last chunk":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0;x\r\n\r\n", "chunk"},
	"a chunk size that ends with LF":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n", "line_end"},
	"a length in the trailers":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 1\r\n\r\n", "trailer"},
	"another protocol, which none asked": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello", "switching_protocols"},
	"a bad answer behind a good hint":    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok", "line_end"},
}

func TestAMalformedAnswerIsAnErrorAndNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, piece := range []int{1 << 20, 1} {
		for name, c := range malformed {
			t.Run(fmt.Sprintf("%s, in pieces of %d", name, piece), func(t *testing.T) {
				t.Parallel()
				b := newBackend(t, piece, func(r *http.Request) string {
					if r.URL.Path == "/good" {
						return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
					}
					return c.bytes
				})
				tr := transport(t)
				// On a kept connection http.Transport would ask again where it may.
				if _, body, err := fetch(t, tr, "GET", b.url+"/good", nil); err != nil || body != "good" {
					t.Fatalf("the good answer before: %q, %v", body, err)
				}
				_, body, err := fetch(t, tr, "GET", b.url+"/bad", nil)
				var why *MalformedError
				if c.reason == "trailer" && err != nil {
					return // there net/http tells an error of its own
				}
				if !errors.Is(err, ErrMalformed) || !errors.As(err, &why) || why.Reason != c.reason {
					t.Errorf("%q, %v; want %s", body, err, c.reason)
				}
				if n := b.asked.Load(); n != 2 {
					t.Errorf("the backend was asked %d times, want 2", n)
				}
			})
		}
	}
}

func TestSoundAnswersPass(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 1<<16)
	for name, c := range map[string]struct {
		method, bytes, body string
		status              int
	}{
		"a length":                     {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200},
		"no phrase":                    {"GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok", 200},
		"chunks and trailers":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n1\r\no\r\n01\r\nk\r\n0\r\nX: y\r\n\r\n", "ok", 200},
		"a megabyte in one chunk":      {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" + long + "\r\n0\r\n\r\n", long, 200},
		"until the connection ends":    {"GET", "HTTP/1.1 200 OK\r\n\r\n" + long, long, 200},
		"HTTP/1.0":                     {"GET", "HTTP/1.0 200 OK\r\n\r\nok", "ok", 200},
		"an answer to HEAD":            {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "", 200},
		"a chunked answer to HEAD":     {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 200},
		"204":                          {"DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "", 204},
		"304 with the length of a 200": {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "", 304},
		"hints before":                 {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200},
		"a tab and letters in a value": {"GET", "HTTP/1.1 200 OK\r\nX: a\tb \xe4\r\nContent-Length:2 \t\r\n\r\nok", "ok", 200},
	} {
		for _, piece := range []int{1 << 20, 3} {
			t.Run(fmt.Sprintf("%s, in pieces of %d", name, piece), func(t *testing.T) {
				t.Parallel()
				b := newBackend(t, max(piece, len(c.bytes)/1000), func(*http.Request) string { return c.bytes })
				tr := transport(t)
				path := "/"
				if keeps := strings.Contains(c.bytes, "Content-Length") || strings.Contains(c.bytes, "chunked") || c.status == 204; !keeps {
					path = "/close"
				}
				for range 3 {
					res, body, err := fetch(t, tr, c.method, b.url+path, nil)
					if err != nil || res.StatusCode != c.status || body != c.body {
						t.Fatalf("%v, %d octets, %v", res, len(body), err)
					}
				}
				if n := b.conns.Load(); path == "/" && n != 1 {
					t.Errorf("%d connections for three requests", n)
				}
			})
		}
	}
}

// TestAnAnswerNobodyAskedForReachesNobody is response queue poisoning: what is
// left on a kept connection would be the next caller's answer.
func TestAnAnswerNobodyAskedForReachesNobody(t *testing.T) {
	t.Parallel()
	const stolen = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
	b := newBackend(t, 1<<20, func(r *http.Request) string {
		if r.URL.Path == "/two" {
			return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" + stolen
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
	})
	tr := transport(t)
	for i := range 50 {
		if _, body, err := fetch(t, tr, "GET", b.url+"/two", nil); err != nil || body != "one" {
			t.Fatalf("round %d: the answer that was asked for: %q, %v", i, body, err)
		}
		if _, body, err := fetch(t, tr, "GET", b.url+"/next", nil); err != nil || body != "mine" {
			t.Fatalf("round %d: the next caller got %q, %v", i, body, err)
		}
	}
}

// pair is both ends of a TCP connection.
func pair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

// arrival waits until there is something to read on conn, or the end.
func arrival(conn net.Conn) {
	look := newSocket(conn)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if waiting, err := look.waiting(); waiting || err != nil {
			return
		}
	}
}

const theQuestion = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// TestWhatWaitsBeforeARequestIsNotItsAnswer holds without a reader that would
// notice, which is the race that http.Transport alone loses.
func TestWhatWaitsBeforeARequestIsNotItsAnswer(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	conn := NewClient(ours)
	if _, err := io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"); err != nil {
		t.Fatal(err)
	}
	arrival(ours)
	if n, err := io.WriteString(conn, theQuestion); n != 0 || !errors.Is(err, ErrMalformed) {
		t.Errorf("the request was written: %d, %v", n, err)
	}
	if n, err := conn.Read(make([]byte, 100)); n != 0 || !errors.Is(err, ErrMalformed) {
		t.Errorf("the answer was read: %d, %v", n, err)
	}
}

func TestARequestIsNotWrittenToABackendThatHasClosed(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	conn := NewClient(ours)
	theirs.Close()
	arrival(ours)
	if n, err := io.WriteString(conn, theQuestion); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the request was written: %d, %v", n, err)
	}
}

func TestATunnelToABackendPassesUnchecked(t *testing.T) {
	t.Parallel()
	b := newBackend(t, 1<<20, func(r *http.Request) string {
		return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x00\nnot HTTP"
	})
	tr := transport(t)
	request, err := http.NewRequestWithContext(t.Context(), "GET", b.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	res, err := tr.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := res.Body.(io.Writer).Write([]byte("\x00\r\nneither\n")); err != nil {
		t.Error(err)
	}
	got := make([]byte, len("\x00\nnot HTTP"))
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "\x00\nnot HTTP" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestWhatWeWriteIsCheckedToo is the last line against header injection: a
// request that could be read in two ways does not leave.
func TestWhatWeWriteIsCheckedToo(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a line end in a value":   "GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: z\r\n\r\n",
		"a length and a coding":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two requests at once":    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"more than its length":    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxy /smuggled",
		"octets of no request":    "\x00",
		"an empty line before it": "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		var wire bytes.Buffer
		conn := NewClient(recorder{Writer: &wire})
		if _, err := io.WriteString(conn, text); !errors.Is(err, ErrRequest) || wire.Len() > 0 {
			t.Errorf("%s: %v, and %q went out", name, err, wire.String())
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err == nil {
			t.Errorf("%s: the connection is used on", name)
		}
	}
}

type recorder struct {
	net.Conn
	io.Writer
}

func (r recorder) Write(p []byte) (int, error) { return r.Writer.Write(p) }

func TestAnswersOverTLSAreChecked(t *testing.T) {
	t.Parallel()
	helper := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/good" {
			_, _ = io.WriteString(w, "good")
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	}))
	defer helper.Close()
	trusted := helper.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	tr := &http.Transport{DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: trusted, ServerName: "example.com"}}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return NewClient(conn), nil
	}}
	defer tr.CloseIdleConnections()
	for range 3 {
		if _, body, err := fetch(t, tr, "GET", helper.URL+"/good", nil); err != nil || body != "good" {
			t.Fatalf("%q, %v", body, err)
		}
	}
	if _, body, err := fetch(t, tr, "GET", helper.URL+"/bad", nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("%q, %v", body, err)
	}
}
