package framing

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// smuggled is what every attack wants served although nobody decided on it.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

// attacks are requests that two parsers read differently. Each is sent behind
// two good requests on the same connection.
var attacks = map[string]struct{ bytes, reason string }{
	"a length beside a coding: who believes the length takes the rest for a request": {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, "content_length_and_transfer_encoding"},
	"a coding before a length":                  {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, "content_length_and_transfer_encoding"},
	"two lengths":                               {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n" + smuggled, "content_length"},
	"two equal lengths":                         {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx", "content_length"},
	"a list of lengths":                         {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab", "content_length"},
	"a length with a sign":                      {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab", "content_length"},
	"a negative length":                         {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\nab", "content_length"},
	"an empty length":                           {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n" + smuggled, "content_length"},
	"a length in hexadecimal":                   {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\nab", "content_length"},
	"a length that may be octal":                {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n0123456789", "content_length"},
	"a length that overflows":                   {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551618\r\n\r\nab", "content_length"},
	"a length with a space in it":               {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\nab", "content_length"},
	"another coding behind chunked":             {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"another coding before chunked":             {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"two codings":                               {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"chunked twice":                             {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"a coding nobody knows":                     {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"no coding":                                 {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n" + smuggled, "transfer_encoding"},
	"a quoted coding":                           {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "transfer_encoding"},
	"a vertical tab before the coding":          {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "control_character"},
	"a coding on HTTP/1.0":                      {"POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, "transfer_encoding"},
	"a folded field":                            {"GET /x HTTP/1.1\r\nHost: a\r\nX-User: a\r\n root\r\n\r\n", "folded_field"},
	"a folded coding":                           {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n" + smuggled, "transfer_encoding"},
	"a folded first field":                      {"GET /x HTTP/1.1\r\n Host: a\r\n\r\n", "folded_field"},
	"lines that end with LF":                    {"GET /x HTTP/1.1\nHost: a\n\n" + smuggled, "line_end"},
	"one line that ends with LF":                {"GET /x HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 35\r\n\r\n" + smuggled, "line_end"},
	"a head that ends with LF":                  {"GET /x HTTP/1.1\r\nHost: a\r\n\n" + smuggled, "line_end"},
	"a CR in a value":                           {"GET /x HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 35\r\n\r\n" + smuggled, "line_end"},
	"two CRs before LF":                         {"GET /x HTTP/1.1\r\nHost: a\r\r\n\r\n", "line_end"},
	"a space before the colon":                  {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length : 35\r\n\r\n" + smuggled, "field_name"},
	"a tab before the colon":                    {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", "field_name"},
	"a field without a name":                    {"GET /x HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", "field_name"},
	"a field without a colon":                   {"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length\r\n\r\n", "field_name"},
	"a name with a letter that is none":         {"GET /x HTTP/1.1\r\nHost: a\r\nContent-Lengt\xcd: 3\r\n\r\n", "field_name"},
	"a name in parentheses":                     {"GET /x HTTP/1.1\r\nHost: a\r\n(x): y\r\n\r\n", "field_name"},
	"NUL in a value":                            {"GET /x HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", "control_character"},
	"NUL in a name":                             {"GET /x HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n", "control_character"},
	"DEL in a value":                            {"GET /x HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n", "control_character"},
	"an escape sequence for who reads the log":  {"GET /x HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n", "control_character"},
	"a version that does not exist":             {"GET /x HTTP/1.2\r\nHost: a\r\n\r\n", "version"},
	"a version of two digits":                   {"GET /x HTTP/1.10\r\nHost: a\r\n\r\n", "request_line"},
	"HTTP/2 spoken in HTTP/1":                   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version"},
	"HTTP/2 for a target":                       {"GET /x HTTP/2.0\r\nHost: a\r\n\r\n", "version"},
	"HTTP/0.9":                                  {"GET /x\r\n\r\n", "request_line"},
	"a version in lower case":                   {"GET /x http/1.1\r\nHost: a\r\n\r\n", "version"},
	"two spaces in the request line":            {"GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a space in the target":                     {"GET /x HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a tab in the request line":                 {"GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a space behind the request line":           {"GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", "request_line"},
	"a space before the request line":           {" GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a method that is no token":                 {"G(T /x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"no method":                                 {" /x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a target that does not begin with a slash": {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a target of another scheme":                {"GET file:///x HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"a star for a method other than OPTIONS":    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "request_line"},
	"an empty line before the request":          {"\r\n" + smuggled, "empty_line"},
	"an LF before the request":                  {"\n" + smuggled, "empty_line"},
	"two Host fields":                           {"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host"},
	"two equal Host fields":                     {"GET /x HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "host"},
	"no Host":                                   {"GET /x HTTP/1.1\r\nX: y\r\n\r\n", "host"},
	"a target for another host than Host":       {"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", "host"},
	"a target for another port than Host":       {"GET http://a:81/x HTTP/1.1\r\nHost: a\r\n\r\n", "host"},
	"a target with user information":            {"GET http://a@b/x HTTP/1.1\r\nHost: b\r\n\r\n", "host"},
	"a target with an empty authority":          {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "host"},
	"a target for a host, and no Host":          {"GET http://a/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "host"},
	"CONNECT to elsewhere":                      {"CONNECT b:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "host"},
}

// chunkAttacks are bodies that two parsers read differently; their heads are
// good, so a handler runs and its read fails.
var chunkAttacks = map[string]struct{ bytes, reason string }{
	"an extension":                            {"3;x=y\r\nabc\r\n0\r\n\r\n", "chunk"},
	"an extension of the last chunk":          {"0;\r\n\r\n" + smuggled, "chunk"},
	"an extension that ends with LF":          {"3;x\nabc\r\n0\r\n\r\n" + smuggled, "line_end"},
	"a size that ends with LF":                {"3\nabc\r\n0\r\n\r\n", "line_end"},
	"a size in 0x":                            {"0x3\r\nabc\r\n0\r\n\r\n", "chunk"},
	"a size with a sign":                      {"+3\r\nabc\r\n0\r\n\r\n", "chunk"},
	"a size with a space":                     {"3 \r\nabc\r\n0\r\n\r\n", "chunk"},
	"an empty size":                           {"\r\n\r\n", "chunk"},
	"a size that overflows":                   {"10000000000000003\r\nabc\r\n0\r\n\r\n", "chunk"},
	"a size without an end":                   {strings.Repeat("0", 1000), "chunk"},
	"a chunk longer than its size":            {"3\r\nabcd\r\n0\r\n\r\n", "chunk"},
	"a chunk that ends with LF":               {"3\r\nabc\n0\r\n\r\n", "line_end"},
	"a chunk that ends with two other octets": {"3\r\nabcXX0\r\n\r\n", "chunk"},
	"a length in the trailers":                {"0\r\nContent-Length: 35\r\n\r\n" + smuggled, "trailer"},
	"a coding in the trailers":                {"0\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, "trailer"},
	"a host in the trailers":                  {"0\r\nHost: b\r\n\r\n", "trailer"},
	"a folded trailer":                        {"0\r\nX: y\r\n z\r\n\r\n", "trailer"},
	"a trailer without a colon":               {"0\r\nX\r\n\r\n", "trailer"},
	"trailers without end":                    {"0\r\n" + strings.Repeat("X: y\r\n", MaxTrailer/6+1), "trailer"},
	"NUL in a trailer":                        {"0\r\nX: \x00\r\n\r\n", "control_character"},
}

// inEveryWay runs a test with the bytes in one piece, in pieces and one at a
// time, and over TLS.
func inEveryWay(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, s *site, piece int)) {
	for _, way := range []struct {
		name      string
		piece     int
		encrypted bool
	}{
		{"in one piece", 1 << 20, false},
		{"in pieces", 7, false},
		{"octet by octet", 1, false},
		{"over TLS", 7, true},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			test(t, serve(t, way.encrypted, handler), way.piece)
		})
	}
}

// sendIn sends in pieces; a server that hangs up meanwhile is none of its
// business.
func (c *caller) sendIn(piece int, text string) {
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := io.WriteString(c, text[:n]); err != nil {
			return
		}
		text = text[n:]
	}
}

func TestSmugglingIsAnsweredWith400BehindTheAnswersThatAreDue(t *testing.T) {
	t.Parallel()
	const good = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	var reached atomic.Bool
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path != "/1" && r.URL.Path != "/2" {
			reached.Store(true)
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}
	inEveryWay(t, handler, func(t *testing.T, s *site, piece int) {
		for name, attack := range attacks {
			s.attack(t, name, attack.reason, func(c *caller) (int, bool) {
				go c.sendIn(piece, good+attack.bytes)
				for _, want := range []string{"/1", "/2"} {
					if status, body := c.answer(); status != 200 || body != want {
						t.Errorf("%s: the request to %s before it got %d %q", name, want, status, body)
					}
				}
				status, answered := c.refusal()
				if status == 501 && piece < 10 && attack.reason == "transfer_encoding" {
					status = 400 // it had seen the beginning of the coding, and says that it knows none like it
				}
				return status, answered
			})
		}
		if reached.Load() {
			t.Error("a handler ran for an attack")
		}
	})
}

func TestSmugglingInChunksFailsTheReadOfTheBodyAndEndsTheConnection(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			panic("a handler runs for an attack")
		}
		if body, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("the body was read whole: %q", body)
		}
		http.Error(w, "bad body", 400)
	}
	inEveryWay(t, handler, func(t *testing.T, s *site, piece int) {
		for name, attack := range chunkAttacks {
			s.attack(t, name, attack.reason, func(c *caller) (int, bool) {
				go c.sendIn(piece, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+attack.bytes)
				return c.refusal()
			})
		}
	})
}

// attack makes one attempt on a connection of its own: it is answered with 400,
// for the reason given, and nothing comes behind.
func (s *site) attack(t *testing.T, name, reason string, attempt func(*caller) (status int, answered bool)) {
	t.Helper()
	for range 20 {
		before := len(s.reasons())
		c := s.dial()
		status, answered := attempt(c)
		if got := s.reasons()[before:]; !slices.Equal(got, []string{reason}) {
			t.Errorf("%s: refused for %q, want %q", name, got, reason)
		}
		if answered {
			if status != 400 {
				t.Errorf("%s: %d, want 400", name, status)
			}
			c.ended()
			c.Close()
			return
		}
	}
	t.Errorf("%s: never an answer, only resets", name)
}
