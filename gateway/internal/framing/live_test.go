package framing

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// bothWays runs a test in the clear and over TLS.
func bothWays(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, s *site)) {
	t.Parallel()
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", encrypted), func(t *testing.T) {
			t.Parallel()
			test(t, serve(t, encrypted, handler))
		})
	}
}

func TestRequestTLSIsFilledInOverTLSOnly(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.TLS != nil && r.TLS.HandshakeComplete)
	}
	bothWays(t, handler, func(t *testing.T, s *site) {
		c := s.dial()
		c.send(theQuestion)
		if _, body := c.answer(); body != fmt.Sprint(s.tls != nil) {
			t.Errorf("Request.TLS is there: %s", body)
		}
	})
}

func TestPipelinedRequestsAreAnsweredInTurn(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprint(w, r.URL.Path, " ", string(body))
	}
	bothWays(t, handler, func(t *testing.T, s *site) {
		c := s.dial()
		var text strings.Builder
		for i := range 100 {
			fmt.Fprintf(&text, "GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", i, strings.Repeat("x", 37*i))
			fmt.Fprintf(&text, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i)
			fmt.Fprintf(&text, "PUT /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n2\r\nef\r\n0\r\nX: y\r\n\r\n", i)
		}
		go c.sendIn(1<<20, text.String())
		for i := range 100 {
			for _, sent := range []string{"", "abc", "def"} {
				if status, body := c.answer(); status != 200 || body != fmt.Sprintf("/%d %s", i, sent) {
					t.Fatalf("round %d: %d %q", i, status, body)
				}
			}
		}
	})
}

// TestWhatFollowsAnUpgradeIsChecked is smuggling behind a request that looks as
// if a tunnel began: h2c smuggling, and the same with an Upgrade nobody knows.
func TestWhatFollowsAnUpgradeIsCheckedUnlessTheHandlerTakesOver(t *testing.T) {
	release := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			panic("a handler runs for an attack")
		}
		if r.URL.Path == "/slow" {
			<-release // the server's background read meets what follows
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}
	bothWays(t, handler, func(t *testing.T, s *site) {
		c := s.dial()
		c.send("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
		select {
		case release <- struct{}{}:
		case <-t.Context().Done():
		}
		for _, want := range []string{"/slow", "/next"} {
			if status, body := c.answer(); status != 200 || body != want {
				t.Errorf("%d %q, want %s", status, body, want)
			}
		}
		c.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: anything\r\n\r\n" +
			"POST /smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		if status, body := c.answer(); status != 200 || body != "/upgrade" {
			t.Errorf("%d %q", status, body)
		}
		if status, answered := c.refusal(); answered && status != 400 {
			t.Errorf("what follows got %d", status)
		}
		if got := s.reasons(); len(got) != 1 || got[0] != "content_length_and_transfer_encoding" {
			t.Errorf("refused for %q", got)
		}
	})
}

// TestATunnelPassesUnchecked also holds http.Server to how it tells a connection
// that a handler takes it over; see server.SetDeadline.
func TestATunnelPassesUnchecked(t *testing.T) {
	// Octets that would be refused as HTTP at once, and some that would not.
	early, late := "\x00\n\r bytes", "GET / HTTP/1.1\n\n\xff"
	handler := func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n"); err != nil {
			t.Error(err)
		}
		if _, err := io.CopyN(conn, buffered, int64(len(early)+len(late))); err != nil {
			t.Errorf("what came through the tunnel: %v", err)
		}
		if err := conn.(Server).CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	bothWays(t, handler, func(t *testing.T, s *site) {
		for _, ahead := range []bool{true, false} {
			c := s.dial()
			upgrade := "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
			if ahead {
				upgrade += early
			}
			c.send(upgrade)
			if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode != 101 {
				t.Fatal(res, err)
			}
			if !ahead {
				c.send(early)
			}
			c.send(late)
			if got, err := io.ReadAll(c.r); err != nil || string(got) != early+late {
				t.Errorf("sent ahead %v: %q came back, %v", ahead, got, err)
			}
		}
	})
}

func TestA100ContinueComesBeforeTheBodyAndUploadsArriveWhole(t *testing.T) {
	const size = 8 << 20
	handler := func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		if _, err := io.Copy(hash, r.Body); err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprintf(w, "%x", hash.Sum(nil))
	}
	body := bytes.Repeat([]byte("\r\nGET / HTTP/1.1\n\x00"), size/18)
	want := fmt.Sprintf("%x", sha256.Sum256(body))
	bothWays(t, handler, func(t *testing.T, s *site) {
		c := s.dial()
		for _, chunked := range []bool{false, true, false} {
			if !chunked {
				c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
			} else {
				c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
			}
			if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode != 100 {
				t.Fatal(res, err)
			}
			go func() {
				if !chunked {
					_, _ = c.Write(body)
					return
				}
				for rest, n := body, 1; len(rest) > 0; n = n*3%70_001 + 1 {
					part := rest[:min(n, len(rest))]
					rest = rest[len(part):]
					_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", len(part), part)
				}
				c.sendIn(100, "0\r\n\r\n")
			}()
			if status, got := c.answer(); status != 200 || got != want {
				t.Fatalf("chunked %v: %d %s, want %s", chunked, status, got, want)
			}
		}
	})
}
