package certs_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/certs"
)

func server(t *testing.T, c certs.ServerConfig) *certs.Reloader {
	t.Helper()
	r, err := certs.NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func client(t *testing.T, files certs.Files) *tls.Config {
	t.Helper()
	r, err := certs.NewClient(certs.ClientConfig{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Client()
	c.ServerName = "localhost"
	return c
}

// shake connects client and server in memory and returns what each saw.
func shake(c, s *tls.Config) (atClient, atServer tls.ConnectionState, err error) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	end := time.Now().Add(time.Minute)
	near.SetDeadline(end)
	far.SetDeadline(end)
	result := make(chan error, 1)
	srv := tls.Server(far, s)
	go func() {
		err := srv.Handshake()
		if err == nil {
			// The first byte also carries the server's verdict to the client:
			// in TLS 1.3 a client is done before its certificate was checked.
			_, err = srv.Write([]byte{1})
		} else {
			far.Close()
		}
		result <- err
	}()
	cl := tls.Client(near, c)
	_, errClient := io.ReadFull(cl, make([]byte, 1))
	if errClient != nil {
		near.Close()
	}
	if err := <-result; err != nil {
		return atClient, atServer, err
	}
	return cl.ConnectionState(), srv.ConnectionState(), errClient
}

func TestServicesKnowEachOther(t *testing.T) {
	now := time.Now()
	a := dev(t, t.TempDir(), now)
	srv := server(t, certs.ServerConfig{Files: leaf(t, a, "search", now), ClientAuth: true}).Server()
	atClient, atServer, err := shake(client(t, leaf(t, a, "gateway", now)), srv)
	if err != nil {
		t.Fatal(err)
	}
	if name, ok := certs.Peer(&atServer); !ok || name != "gateway" {
		t.Errorf("the server sees %q, %v", name, ok)
	}
	if name, ok := certs.Peer(&atClient); !ok || name != "search" {
		t.Errorf("the client sees %q, %v", name, ok)
	}
	if atServer.Version != tls.VersionTLS13 {
		t.Errorf("version %x", atServer.Version)
	}
}

func TestWhoIsTurnedAway(t *testing.T) {
	now := time.Now()
	a, other := dev(t, t.TempDir(), now), dev(t, t.TempDir(), now)
	own := leaf(t, a, "search", now)
	foreign := leaf(t, other, "gateway", now)
	srv := server(t, certs.ServerConfig{Files: own, ClientAuth: true}).Server()
	for name, c := range map[string]*tls.Config{
		"a client without a certificate":         client(t, certs.Files{CA: a.CA()}),
		"a client of another authority":          client(t, certs.Files{Cert: foreign.Cert, Key: foreign.Key, CA: a.CA()}),
		"a client that trusts another authority": client(t, foreign),
		"a client that expects another name":     func() *tls.Config { c := client(t, own); c.ServerName = "gateway.test"; return c }(),
		"a client that speaks nothing above TLS 1.1": func() *tls.Config {
			c := client(t, own)
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return c
		}(),
		"a client with CBC suites only": func() *tls.Config {
			c := client(t, own)
			c.MaxVersion = tls.VersionTLS12
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
			return c
		}(),
	} {
		if _, _, err := shake(c, srv); err == nil {
			t.Errorf("%s was let in", name)
		}
	}
	if _, _, err := shake(client(t, own), srv); err != nil {
		t.Errorf("a good client was turned away: %v", err)
	}
}

func TestACertificateThatWasNotVerifiedNamesNobody(t *testing.T) {
	now := time.Now()
	a := dev(t, t.TempDir(), now)
	srv := server(t, certs.ServerConfig{Files: leaf(t, a, "search", now)}).Server()
	srv.ClientAuth = tls.RequestClientCert // asks, and believes anything
	_, atServer, err := shake(client(t, leaf(t, a, "gateway", now)), srv)
	if err != nil {
		t.Fatal(err)
	}
	if len(atServer.PeerCertificates) == 0 {
		t.Fatal("the client sent no certificate, so this proves nothing")
	}
	if name, ok := certs.Peer(&atServer); ok {
		t.Errorf("it was believed to be %q", name)
	}
	if _, ok := certs.Peer(nil); ok {
		t.Error("a connection without TLS has a peer")
	}
}

// later makes the next handshake look at the files again: their times differ
// from what was seen, and the second between two looks is over.
func later(t *testing.T, files certs.Files) {
	t.Helper()
	future := time.Now().Add(time.Minute)
	for _, path := range []string{files.Cert, files.Key, files.CA} {
		if err := os.Chtimes(path, future, future); err != nil {
			t.Fatal(err)
		}
	}
}

// within repeats a handshake until ok holds; files are looked at once a second.
func within(t *testing.T, c, s *tls.Config, ok func(atClient tls.ConnectionState, err error) bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		atClient, _, err := shake(c, s)
		if ok(atClient, err) {
			return
		}
		<-tick.C
	}
	t.Error("the handshake never changed")
}

func TestAHandshakeFollowsTheFiles(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	a := dev(t, dir, now)
	files := leaf(t, a, "search", now)
	srv := server(t, certs.ServerConfig{Files: files}).Server()
	c := client(t, certs.Files{CA: a.CA()})
	if _, _, err := shake(c, srv); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	leaf(t, a, "search", now)
	renewed := readCert(t, files.Cert).SerialNumber
	later(t, files)
	within(t, c, srv, func(atClient tls.ConnectionState, err error) bool {
		return err == nil && atClient.PeerCertificates[0].SerialNumber.Cmp(renewed) == 0
	})
}

func TestANewAuthorityReplacesTheOldForClients(t *testing.T) {
	now := time.Now()
	a, next := dev(t, t.TempDir(), now), dev(t, t.TempDir(), now)
	files := leaf(t, a, "search", now)
	files.CA = filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(files.CA, readFile(t, a.CA()), 0o644); err != nil {
		t.Fatal(err)
	}
	srv := server(t, certs.ServerConfig{Files: files, ClientAuth: true}).Server()
	as := func(by *certs.Authority) *tls.Config {
		id := leaf(t, by, "gateway", now)
		return client(t, certs.Files{Cert: id.Cert, Key: id.Key, CA: a.CA()})
	}
	if _, _, err := shake(as(next), srv); err == nil {
		t.Fatal("a client of the next authority was let in too early")
	}
	if err := os.WriteFile(files.CA, readFile(t, next.CA()), 0o644); err != nil {
		t.Fatal(err)
	}
	later(t, files)
	within(t, as(next), srv, func(_ tls.ConnectionState, err error) bool { return err == nil })
	if _, _, err := shake(as(a), srv); err == nil {
		t.Error("a client of the old authority is still let in")
	}
}

func TestFilesThatCannotBeUsedLeaveTheOldOnes(t *testing.T) {
	now := time.Now()
	a := dev(t, t.TempDir(), now)
	files := leaf(t, a, "search", now)
	var log bytes.Buffer
	r := server(t, certs.ServerConfig{Files: files, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := os.WriteFile(files.Cert, []byte("half a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	later(t, files)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if r.Expires().Before(now) {
			t.Fatal("the broken certificate is in force")
		}
		if log.Len() > 0 {
			break
		}
		<-tick.C
	}
	if !strings.Contains(log.String(), "the old ones stay in force") {
		t.Errorf("the log says nothing: %q", log.String())
	}
	if _, _, err := shake(client(t, certs.Files{CA: a.CA()}), r.Server()); err != nil {
		t.Errorf("the old certificate is not served: %v", err)
	}
}

func TestAStartWithUnusableFilesFails(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	a := dev(t, dir, now)
	good, other := leaf(t, a, "search", now), leaf(t, a, "other", now)
	expired := leaf(t, dev(t, t.TempDir(), now.AddDate(-1, 0, 0)), "search", now.AddDate(-1, 0, 0))
	for name, c := range map[string]certs.ServerConfig{
		"no certificate":           {},
		"a certificate alone":      {Files: certs.Files{Cert: good.Cert}},
		"a file that is not there": {Files: certs.Files{Cert: good.Cert + "x", Key: good.Key}},
		"another's key":            {Files: certs.Files{Cert: good.Cert, Key: other.Key}},
		"an expired certificate":   {Files: expired},
		"client checks without CA": {Files: certs.Files{Cert: good.Cert, Key: good.Key}, ClientAuth: true},
		"a CA file without any":    {Files: certs.Files{Cert: good.Cert, Key: good.Key, CA: good.Key}},
	} {
		if _, err := certs.NewServer(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A real HTTPS server and client, over HTTP/2, with certificates both ways; a
// second connection resumes the session and is no less verified.
func TestHTTP2WithBothCertificatesAndResumption(t *testing.T) {
	now := time.Now()
	a := dev(t, t.TempDir(), now)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _ := certs.Peer(r.TLS)
		io.WriteString(w, r.Proto+" "+name)
		if r.TLS.DidResume {
			io.WriteString(w, " resumed")
		}
	}))
	s.TLS = server(t, certs.ServerConfig{Files: leaf(t, a, "search", now), ClientAuth: true}).Server()
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	c := client(t, leaf(t, a, "gateway", now))
	c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	for _, want := range []string{"HTTP/2.0 gateway", "HTTP/2.0 gateway resumed"} {
		resp, err := (&http.Client{Transport: transport}).Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("got %q, %v; want %q", body, err, want)
		}
		transport.CloseIdleConnections()
	}
}

func TestALookAtTheIdentityAllocatesNothing(t *testing.T) {
	now := time.Now()
	srv := server(t, certs.ServerConfig{Files: leaf(t, dev(t, t.TempDir(), now), "search", now)}).Server()
	n := testing.AllocsPerRun(1000, func() {
		if _, err := srv.GetCertificate(nil); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a handshake", n)
	}
}
