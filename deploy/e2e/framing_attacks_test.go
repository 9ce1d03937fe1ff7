package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// framing are the rows about where a request ends. What is refused ends the
// connection: nobody can say where the next request would begin.
func framing() []attack {
	post := func(fields, body string) string { return "POST /x HTTP/1.1\nHost: HOST\n" + fields + "\n\n" + body }
	chunked := "Transfer-Encoding: chunked"
	const hidden = "GET /smuggled HTTP/1.1\nHost: HOST\n\n"
	return []attack{
		{name: "3.2: Content-Length beside Transfer-Encoding is refused", send: post("Content-Length: 6\n"+chunked, "0\n\n"+hidden), want: refused},
		{name: "3.2: also the other way round", send: post(chunked+"\nContent-Length: 6", "0\n\n"+hidden), want: refused},
		{name: "3.2: Content-Length of nothing beside Transfer-Encoding is refused", send: post("Content-Length: 0\n"+chunked, "1\na\n0\n\n"), want: refused},
		{name: "3.2: a second coding is refused", send: post("Transfer-Encoding: chunked, identity", "0\n\n"), want: refused},
		{name: "3.2: gzip, chunked is refused", send: post("Transfer-Encoding: gzip, chunked", "0\n\n"), want: refused},
		{name: "3.2: chunked twice is refused", send: post("Transfer-Encoding: chunked\nTransfer-Encoding: chunked", "0\n\n"), want: refused},
		{name: "3.2: chunked behind a control character is refused", send: post("Transfer-Encoding: \x0bchunked", "0\n\n"), want: refused},
		{name: "3.2: chunked in quotes is refused", send: post(`Transfer-Encoding: "chunked"`, "0\n\n"), want: refused},
		{name: "3.2: an unknown coding is refused", send: post("Transfer-Encoding: xchunked", "0\n\n"), want: refused},
		{name: "3.2: Transfer-Encoding in HTTP/1.0 is refused", send: "POST /x HTTP/1.0\nHost: HOST\n" + chunked + "\n\n1\na\n0\n\n", want: refused},
		{name: "3.2: equal Content-Lengths are refused", send: post("Content-Length: 1\nContent-Length: 1", "a"), want: refused},
		{name: "3.2: different Content-Lengths are refused", send: post("Content-Length: 1\nContent-Length: 2", "ab"), want: refused},
		{name: "3.2: a list of Content-Lengths is refused", send: post("Content-Length: 2, 2", "ab"), want: refused},
		{name: "3.2: a Content-Length with a sign is refused", send: post("Content-Length: +2", "ab"), want: refused},
		{name: "3.2: a negative Content-Length is refused", send: post("Content-Length: -1", "ab"), want: refused},
		{name: "3.2: a Content-Length in hex is refused", send: post("Content-Length: 0x2", "ab"), want: refused},
		{name: "3.2: a Content-Length with a space in it is refused", send: post("Content-Length: 1 1", "ab"), want: refused},
		{name: "3.2: a Content-Length without end is refused", send: post("Content-Length: 99999999999999999999", "ab"), want: refused},
		{name: "3.2: lines that end with LF alone are refused", send: "GET /x HTTP/1.1\nHost: HOST\n\n", exact: true, want: refused},
		{name: "3.2: one line that ends with LF alone is refused", send: "GET /x HTTP/1.1\r\nHost: HOST\nX-Custom: a\r\n\r\n", exact: true, want: refused},
		{name: "3.2: a CR within a line is refused", send: "GET /x HTTP/1.1\r\nHost: HOST\r\nX-Custom: a\rX-User: spoofed\r\n\r\n", exact: true, want: refused},
		{name: "3.2: a folded field is refused", send: "GET /x HTTP/1.1\nHost: HOST\nX-Custom: a\n root\n\n", want: refused},
		{name: "3.2: a folded first line is refused", send: "GET /x HTTP/1.1\n X-Custom: a\nHost: HOST\n\n", want: refused},
		{name: "3.2: a bare LF in a chunk extension is refused", send: "POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n", exact: true, want: refused},
		{name: "Go CVE-2025-22871: a bare LF after a chunk's size is refused", send: "POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", exact: true, want: refused},
		{name: "3.2: a chunk without its end is refused", send: post(chunked, "1\nab\n0\n\n"), want: refused},
		{name: "3.2: a chunk's size that is no number is refused", send: post(chunked, "x\na\n0\n\n"), want: refused},
		{name: "3.2: a chunk's size with a sign is refused", send: post(chunked, "+1\na\n0\n\n"), want: refused},
		{name: "3.2: a chunk's size beyond any number is refused", send: post(chunked, "fffffffffffffffff\na\n0\n\n"), want: refused},
		{name: "3.2: a space before the colon is refused", send: post("Content-Length : 1", "a"), want: refused},
		{name: "3.2: a tab before the colon is refused", send: post("Transfer-Encoding\t: chunked", "0\n\n"), want: refused},
		{name: "3.2: NUL in a value is refused", send: with("/x", "X-Custom: a\x00b"), want: refused},
		{name: "3.2: no Host is refused", send: "GET /x HTTP/1.1\n\n", want: refused},
		{name: "3.2: two Hosts are refused", send: "GET /x HTTP/1.1\nHost: HOST\nHost: HOST\n\n", want: refused},
		{name: "3.2: a Host with a user is refused", send: "GET /x HTTP/1.1\nHost: a@HOST\n\n", want: refused},
		{name: "3.2: a Host with a path is refused", send: "GET /x HTTP/1.1\nHost: HOST/admin\n\n", want: refused},
		{name: "3.2: a Host with a space is refused", send: "GET /x HTTP/1.1\nHost: HOST evil.example\n\n", want: refused},
		{name: "3.2: HTTP/1.2 is refused", send: "GET /x HTTP/1.2\nHost: HOST\n\n", want: refused},
		{name: "3.2: HTTP/2.0 in a line is refused", send: "GET /x HTTP/2.0\nHost: HOST\n\n", want: refused},
		{name: "3.2: HTTP/0.9 is refused", send: "GET /x\n\n", want: refused},
		{name: "3.2: a method in lower case is another", send: "get /x HTTP/1.1\nHost: HOST\n\n", want: 405},
		{name: "3.2: two spaces in the first line are refused", send: "GET  /x HTTP/1.1\nHost: HOST\n\n", want: refused},
		{name: "3.2: a tab in the first line is refused", send: "GET\t/x\tHTTP/1.1\nHost: HOST\n\n", want: refused},
		{name: "3.2: a space in the target is refused", send: "GET /x /admin HTTP/1.1\nHost: HOST\n\n", want: refused},
		{name: "HAProxy CVE-2023-25725: an empty field name is refused", send: with("/x", ": spoofed", "X-Custom: a"), want: refused},
		{name: "HAProxy CVE-2023-40225: an empty Content-Length is refused", send: post("Content-Length:", ""), want: refused},
		{name: "Go CVE-2019-16276: Name and a space is refused", send: with("/x", "Transfer-Encoding : chunked"), want: refused},
		{name: "Envoy CVE-2019-18802: white space behind a value is no part of it", send: with("/tenant", "X-Tenant: evil \t "), want: 403},
		{name: "Envoy CVE-2019-18802: nor before it", send: with("/tenant", "X-Tenant: \t evil"), want: 403},
		{name: "Envoy CVE-2019-18802: nor behind a host", send: "GET /admin HTTP/1.1\nHost: HOST \t \n\n", want: 401},
		{name: "a field name with a control character is refused", send: with("/x", "X-Cus\x01tom: a"), want: refused},
		{name: "a field without a colon is refused", send: with("/x", "X-Custom"), want: refused},
		{name: "a body in chunks arrives as it was sent", send: post(chunked, "3\nabc\n2\nde\n0\n\n"), want: 200, body: "abcde"},
		{name: "a chunk with an extension is refused", send: post(chunked, "3\nabc\n2;x=y\nde\n0\n\n"), want: refused},
		{name: "a body of a length arrives as it was sent", send: post("Content-Length: 5", "a\x00\xffbc"), want: 200, body: "a\x00\u00ffbc"},
		{name: "an empty body of a length arrives", send: post("Content-Length: 0", ""), want: 200},
		{name: "a request by HTTP/1.0 arrives", send: "GET /x HTTP/1.0\nHost: HOST\n\n", want: 200, sees: "GET /x"},
	}
}

// TestNoRequestHidesInAnother sends requests whose end readers disagree about.
// They are refused, and nothing behind them on the connection is answered.
func TestNoRequestHidesInAnother(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.tried(t, framing())
	t.Run("Go CVE-2025-22871: what clients break opens no breaker", func(t *testing.T) {
		for range 30 {
			res, _, err := c.exchange("POST /x HTTP/1.1\r\nHost: go.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
			if err != nil || res.StatusCode != 400 {
				t.Fatalf("%v, %v", res, err)
			}
		}
		c.tried(t, []attack{{name: "and the next request passes", send: asks("/x"), want: 200}})
	})
	t.Run("requests one after another on a connection are answered in their order", func(t *testing.T) {
		var all strings.Builder
		for i := range 20 {
			fmt.Fprintf(&all, "POST /n/%d HTTP/1.1\r\nHost: go.test\r\nContent-Length: 2\r\n\r\n%02d", i, i)
		}
		c.inOrder(t, all.String(), 20)
	})
}
