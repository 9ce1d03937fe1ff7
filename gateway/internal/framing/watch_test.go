package framing

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// single counts the reads of one octet that reach the connection below.
type single struct {
	net.Conn
	begun, done *atomic.Int32
}

func (s single) Read(p []byte) (int, error) {
	if len(p) != 1 {
		return s.Conn.Read(p)
	}
	s.begun.Add(1)
	n, err := s.Conn.Read(p)
	s.done.Add(1)
	return n, err
}

// soon waits for a condition.
func soon(t *testing.T, what string, met func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Errorf("never: %s", what)
			return
		}
	}
}

func TestAClientThatLeavesIsNoticed(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/first" {
			return
		}
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
			left <- struct{}{}
		case <-time.After(patience):
			t.Error("nobody notices")
			close(left)
		}
	}
	bothWays(t, handler, func(t *testing.T, s *site) {
		for _, request := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"} {
			c := s.dial()
			c.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n") // what was watched before does not matter
			c.answer()
			c.send(request)
			<-asked
			c.Close()
			<-left
		}
	})
}

// TestNetHTTPTakesNothingForAnAnswerToItsBackgroundRead holds net/http to what
// Watch leans on: it reads one octet for every request, and one that brings
// nothing ends there. A release that reads in another way fails here.
func TestNetHTTPTakesNothingForAnAnswerToItsBackgroundRead(t *testing.T) {
	for _, watched := range []bool{true, false} {
		t.Run(fmt.Sprintf("watched %v", watched), func(t *testing.T) {
			var begun, done atomic.Int32
			s := serveTuned(t, false, func(w http.ResponseWriter, r *http.Request) {
				if !watched {
					soon(t, "the octet ahead is read", func() bool { return begun.Load() > done.Load() })
				}
				_, _ = io.Copy(io.Discard, r.Body)
			}, func(server *http.Server) {
				if !watched {
					server.ConnContext = nil
				}
			}, func(c net.Conn) net.Conn { return single{c, &begun, &done} })
			c := s.dial()
			const n = 50
			for range n {
				c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				c.answer()
			}
			// A machine that takes long for an answer has its clients watched.
			if got := begun.Load(); watched && got > n/2 || !watched && got < n {
				t.Errorf("%d octets were read ahead for %d requests", got, n)
			}
		})
	}
}

// TestWhatAWatchedClientSendsAheadIsItsNextRequest: the octet that was read to
// see whether it is there is the first of that.
func TestWhatAWatchedClientSendsAheadIsItsNextRequest(t *testing.T) {
	var begun, done atomic.Int32
	s := serveTuned(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			soon(t, "the octet ahead has come", func() bool { return done.Load() == 1 })
		}
		_, _ = io.WriteString(w, r.Method+r.URL.Path)
	}, nil, func(c net.Conn) net.Conn { return single{c, &begun, &done} })
	c := s.dial()
	c.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	soon(t, "the client is watched", func() bool { return begun.Load() == 1 })
	c.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []string{"GET/slow", "GET/next"} {
		if status, body := c.answer(); status != 200 || body != want {
			t.Errorf("%d %q, want %s", status, body, want)
		}
	}
	// And it is looked at like the others.
	c.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if status, body := c.answer(); status != 200 || body != "GET/slow" {
		t.Errorf("%d %q", status, body)
	}
	if status, answered := c.refusal(); answered && status != 400 {
		t.Errorf("what follows got %d", status)
	}
}

func TestAWatchedConnectionCanBeTakenOver(t *testing.T) {
	var begun, done atomic.Int32
	s := serveTuned(t, false, func(w http.ResponseWriter, r *http.Request) {
		soon(t, "the client is watched", func() bool { return begun.Load() == 1 })
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		conn.(Server).Tunnel()
		_, _ = io.WriteString(conn, "yours\n")
		_, _ = io.CopyN(conn, conn, 4)
	}, nil, func(c net.Conn) net.Conn { return single{c, &begun, &done} })
	c := s.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if line, err := c.r.ReadString('\n'); line != "yours\n" {
		t.Fatalf("%q %v", line, err)
	}
	c.send("\x00\n\r!")
	got := make([]byte, 4)
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != "\x00\n\r!" {
		t.Errorf("%q %v", got, err)
	}
}

// TestAnOctetThatIsAskedForAgainIsServed: a buffer with room for one octet is no
// background read, and is repeated at once.
func TestAnOctetThatIsAskedForAgainIsServed(t *testing.T) {
	s := NewServer(&loop{bytes: []byte("G")}, nil)
	Watch(t.Context(), s)
	one := make([]byte, 1)
	for i, want := range []int{0, 1, 1} {
		if n, err := s.Read(one); n != want || err != nil {
			t.Errorf("read %d: %d %v, want %d", i, n, err, want)
		}
	}
}
