package listen_test

import (
	"bufio"

	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"

	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/certs"
	"portcullis/gateway/internal/listen"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/chassis"
)

// never bounds what would hang otherwise.
const never = 30 * time.Second

// port is a public port with a server behind it that tells who it thinks asks.
type port struct {
	t        *testing.T
	addr     string
	acceptor *listen.Acceptor
	current  *pipeline.Current
	metrics  *prometheus.Registry
	server   *http.Server
	roots    *x509.CertPool
}

// setup changes what open would use.
type setup struct {
	snapshot *pipeline.Snapshot
	limits   chassis.Limits
	config   listen.Config
	handler  http.HandlerFunc
	files    []certs.Files
}

// authority signs for all tests, one leaf at a time.
var (
	authority *certs.Authority
	signing   sync.Mutex
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "listen")
	if err != nil {
		panic(err)
	}
	if authority, err = certs.Dev(dir, time.Now()); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func leaf(t *testing.T, name string) certs.Files {
	t.Helper()
	signing.Lock()
	defer signing.Unlock()
	files, err := authority.Leaf(name, time.Now())
	check(t, err)
	return files
}

func open(t *testing.T, s setup) *port {
	t.Helper()
	files := leaf(t, "gateway")
	if s.files == nil {
		s.files = []certs.Files{files}
	}
	p := &port{t: t, current: &pipeline.Current{}, metrics: prometheus.NewRegistry(), roots: x509.NewCertPool()}
	authorities, err := certs.Authorities(files.CA)
	check(t, err)
	p.roots.AddCert(authorities[0])
	if s.snapshot == nil {
		s.snapshot = &pipeline.Snapshot{}
	}
	p.current.Store(s.snapshot)
	s.config.Current, s.config.Metrics, s.config.Log = p.current, p.metrics, slog.New(slog.DiscardHandler)
	s.config.Certificates, err = certs.NewShelf(s.files, nil)
	check(t, err)
	p.acceptor, err = listen.New(s.config)
	check(t, err)
	slots, err := chassis.NewSlots(s.limits)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p.addr = l.Addr().String()
	if s.handler == nil {
		s.handler = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.RemoteAddr, r.Proto) }
	}
	p.server = &http.Server{Handler: s.handler, ConnState: p.acceptor.ConnState, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- p.server.Serve(p.acceptor.Listen(l, slots)) }()
	t.Cleanup(func() {
		p.server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

// dial connects from one of this machine's addresses, 127.0.0.x.
func (p *port) dial(x byte) net.Conn {
	p.t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, x)}, Timeout: never}).Dial("tcp", p.addr)
	check(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	check(p.t, conn.SetDeadline(time.Now().Add(never)))
	return conn
}

// client is a TLS configuration of an ordinary client.
func (p *port) client() *tls.Config {
	return &tls.Config{RootCAs: p.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// get sends a request over conn, which has the client's handshake before it.
func get(conn net.Conn, config *tls.Config) (string, error) {
	secure := tls.Client(conn, config)
	if _, err := io.WriteString(secure, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// count is a metric's value, by one of its labels.
func (p *port) count(name, label string) float64 {
	p.t.Helper()
	families, err := p.metrics.Gather()
	check(p.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	p.t.Fatalf("there is no metric %s of %q", name, label)
	return 0
}

// until waits for what must come to hold.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(began) > never {
			t.Fatal("it never came to hold: " + what)
		}
	}
}

// hungUp tells that the other side has closed the connection.
func hungUp(conn net.Conn) bool {
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func balancers(networks ...string) *pipeline.Snapshot {
	s := &pipeline.Snapshot{}
	for _, n := range networks {
		s.Balancers = append(s.Balancers, netip.MustParsePrefix(n))
	}
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
