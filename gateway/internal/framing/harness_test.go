package framing

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what would otherwise hang; a sound test never waits for it.
const patience = 30 * time.Second

// checkedListener hands out connections under the check, as a listener of ours
// would: after the handshake, where there is one.
type checkedListener struct {
	net.Listener
	tls     *tls.Config
	refused func(string)
	below   func(net.Conn) net.Conn // may be nil
}

func (l checkedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.below != nil {
		conn = l.below(conn)
	}
	if l.tls == nil {
		return NewServer(conn, l.refused), nil
	}
	encrypted := tls.Server(conn, l.tls)
	if err := encrypted.Handshake(); err != nil {
		return nil, err
	}
	return NewServer(encrypted, l.refused), nil
}

// site is a real http.Server over checked connections.
type site struct {
	t    *testing.T
	addr string
	tls  *tls.Config // of clients; nil in the clear

	mu      sync.Mutex
	refused []string
}

func serve(t *testing.T, encrypted bool, handler http.HandlerFunc) *site {
	t.Helper()
	return serveTuned(t, encrypted, handler, nil, nil)
}

// serveTuned has the server changed before it serves, and reads through below.
func serveTuned(t *testing.T, encrypted bool, handler http.HandlerFunc, tune func(*http.Server), below func(net.Conn) net.Conn) *site {
	t.Helper()
	s := &site{t: t}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	checked := checkedListener{Listener: l, below: below, refused: func(reason string) {
		s.mu.Lock()
		s.refused = append(s.refused, reason)
		s.mu.Unlock()
	}}
	if encrypted {
		helper := httptest.NewUnstartedServer(nil)
		helper.StartTLS()
		checked.tls = &tls.Config{Certificates: helper.TLS.Certificates, NextProtos: []string{"http/1.1"}}
		s.tls = &tls.Config{RootCAs: helper.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		helper.Close()
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0), ConnContext: Watch}
	if tune != nil {
		tune(server)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(checked); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	})
	t.Cleanup(func() { server.Close(); serving.Wait() })
	return s
}

// reasons is what was refused so far.
func (s *site) reasons() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// caller is a client that sends bytes as they are.
type caller struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (s *site) dial() *caller {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if s.tls != nil {
		conn = tls.Client(conn, s.tls)
	}
	return &caller{Conn: conn, t: s.t, r: bufio.NewReader(conn)}
}

func (c *caller) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("sending %q: %v", text, err)
	}
}

// answer reads one answer with its body.
func (c *caller) answer() (status int, body string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("reading an answer: %v", err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("reading the body of an answer: %v", err)
	}
	return res.StatusCode, string(b)
}

// refusal reads the answer to what was refused; false when the server's reset
// was faster: it hangs up half a second after its answer, with octets unread.
func (c *caller) refusal() (status int, answered bool) {
	res, err := http.ReadResponse(c.r, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return 0, false
	}
	if err != nil {
		c.t.Fatalf("reading the answer to what is refused: %v", err)
	}
	return res.StatusCode, true
}

// ended waits for the end of the connection, and fails when something comes
// before it.
func (c *caller) ended() {
	c.t.Helper()
	more, err := io.ReadAll(c.r)
	if timeout := net.Error(nil); len(more) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Errorf("the connection goes on: %q, %v", more, err)
	}
}

// pieces is a connection that yields in cut to pieces, once or for ever.
type pieces struct {
	net.Conn
	in    []byte
	again bool
	at    int
	cut   func() int
}

func (c *pieces) Read(p []byte) (int, error) {
	if c.at == len(c.in) {
		if !c.again {
			return 0, io.EOF
		}
		c.at = 0
	}
	n := copy(p[:min(len(p), max(1, c.cut()))], c.in[c.at:])
	c.at += n
	return n, nil
}

func (c *pieces) Write(p []byte) (int, error) { return len(p), nil }
