package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/certs"
)

// door is a policy with one open route and two hosts, with more keys.
func door(more string) map[string]string {
	return map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost, gateway.test]\n" + more,
		"door.yaml": "version: 1\nupstreams:\n  - {name: backend, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\nupstream: backend\nroutes:\n" +
			"  - {name: door, match: GET /door, " + openly + "}\n  - {name: upload, match: POST /door, timeout: 1m, body: 8MiB, " + openly + "}\n  - {name: slow, match: GET /stream/slow, timeout: 1m, " + openly + "}\n",
	}
}

// dialFrom dials the gateway from one of this machine's addresses, 127.0.0.x.
func (s *system) dialFrom(x byte) (net.Conn, error) {
	_, port, err := net.SplitHostPort(host(s.gatewayURL))
	if err != nil {
		return nil, err
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, x)}, Timeout: 30 * time.Second}
	conn, err := d.Dial("tcp", "127.0.0.1:"+port)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(time.Minute))
	}
	return conn, err
}

// over sends a request for a host over a connection of its own, and gives status
// and body.
func over(conn net.Conn, config *tls.Config, host, fields string) (int, string, error) {
	secure := tls.Client(conn, config)
	defer secure.Close()
	if _, err := io.WriteString(secure, "GET /door HTTP/1.1\r\nHost: "+host+"\r\n"+fields+"Connection: close\r\n\r\n"); err != nil {
		return 0, "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// TestAGuardedHostIsReachedWithItsCertificateAlone: gateway.test asks for a
// certificate at the handshake and localhost does not, and one certificate is for
// both. Whoever gets a connection as the one must not ask as the other.
func TestAGuardedHostIsReachedWithItsCertificateAlone(t *testing.T) {
	t.Parallel()
	s := lone(t, door(""))
	s.write("gateway.yaml", "version: 1\nhosts: [localhost, gateway.test]\nclient_certificates:\n  - {hosts: [gateway.test], ca: "+s.leaf("gateway").CA+"}\n")
	s.startGateway()
	others, err := certs.Dev(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	search, err := others.Leaf("search", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, stranger := loaded(t, s.leaf("search")), loaded(t, search)
	memory := tls.NewLRUClientSessionCache(10)
	for _, c := range []struct {
		name        string
		sni, host   string
		certificate *tls.Certificate
		resume      bool
		want        int // 0 for no connection
	}{
		{"the guarded host without a certificate", "gateway.test", "gateway.test", nil, false, 0},
		{"with a certificate of somebody else", "gateway.test", "gateway.test", &stranger, false, 0},
		{"with the right one", "gateway.test", "gateway.test", &pair, true, 200},
		{"again, by the session", "gateway.test", "gateway.test", nil, true, 200},
		{"the open host", "localhost", "localhost", nil, false, 200},
		{"the guarded host on a connection for the open one", "localhost", "gateway.test", nil, false, 421},
		{"the guarded host on a connection for the open one, with a certificate nobody asked for", "localhost", "gateway.test", &pair, false, 421},
		{"the guarded host on a connection for no name", "127.0.0.1", "gateway.test", nil, false, 421},
		{"the guarded host in other letters", "localhost", "GATEWAY.test.", nil, false, 421},
		{"the open host on a connection for the guarded one", "gateway.test", "localhost", &pair, false, 421},
		{"the open host on a connection for no name", "127.0.0.1", "localhost", nil, false, 200},
	} {
		config := &tls.Config{RootCAs: s.pool, ServerName: c.sni, MinVersion: tls.VersionTLS12}
		if c.certificate != nil {
			config.Certificates = []tls.Certificate{*c.certificate}
		}
		if c.resume {
			config.ClientSessionCache = memory
		}
		conn, err := s.dialFrom(1)
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := over(conn, config, c.host, "")
		if status != c.want || err != nil && c.want != 0 {
			t.Errorf("%s: %d %s (%v), want %d", c.name, status, body, err, c.want)
		}
	}

	// HTTP/2 clients use one connection for all names of a certificate.
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	for name, want := range map[string]int{"": 200, "gateway.test": 421} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.gatewayURL+"/door", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = name
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want || res.ProtoMajor != 2 {
			t.Errorf("host %q by HTTP/%d: %d, want %d", name, res.ProtoMajor, res.StatusCode, want)
		}
	}

	// An edit asks for certificates on connections that are open already.
	s.write("gateway.yaml", "version: 1\nhosts: [localhost]\nclient_certificates:\n  - {ca: "+s.leaf("gateway").CA+"}\n")
	s.reloads()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.gatewayURL+"/door", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != 421 {
		t.Errorf("a connection from before certificates were asked for: %d, want 421", res.StatusCode)
	}
}

func loaded(t *testing.T, files certs.Files) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestTheClientIsWhoTheProxyProtocolSays, for events and rules alike, and only
// where the policy says so. What the client itself says counts nowhere.
func TestTheClientIsWhoTheProxyProtocolSays(t *testing.T) {
	t.Parallel()
	s := lone(t, door("trusted_proxies: [198.51.100.0/24]\nproxy_protocol: [127.0.0.9/32]\n"))
	s.startGateway()
	const header = "PROXY TCP4 %s 10.0.0.1 256 443\r\n"
	for _, c := range []struct {
		name, header, fields string
		from                 byte
		want                 string // the client; empty for no connection
	}{
		{"whoever connects", "", "", 8, "127.0.0.8"},
		{"whoever connects and claims", "", "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n", 8, "127.0.0.8"},
		{"a client of the balancer", fmt.Sprintf(header, "203.0.113.7"), "", 9, "203.0.113.7"},
		{"one that claims", fmt.Sprintf(header, "203.0.113.7"), "X-Forwarded-For: 192.0.2.1\r\n", 9, "203.0.113.7"},
		{"a proxy of ours before the balancer", fmt.Sprintf(header, "198.51.100.4"), "X-Forwarded-For: 192.0.2.1, 203.0.113.8\r\n", 9, "203.0.113.8"},
		{"a client that sends a header itself", fmt.Sprintf(header, "203.0.113.7"), "", 8, ""},
		{"a balancer without a header", "", "", 9, ""},
		{"a balancer with a header too long", "PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n", "", 9, ""},
		{"a client of the balancer that sends another", fmt.Sprintf(header, "203.0.113.7") + fmt.Sprintf(header, "203.0.113.8"), "", 9, ""},
	} {
		conn, err := s.dialFrom(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.header); err != nil {
			t.Fatal(err)
		}
		before := len(s.eventLog())
		status, _, err := over(conn, &tls.Config{RootCAs: s.pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}, "localhost", c.fields)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s is answered: %d", c.name, status)
			}
			continue
		}
		if err != nil || status != 200 {
			t.Errorf("%s: %d, %v", c.name, status, err)
			continue
		}
		until(t, "the event of "+c.name, 30*time.Second, func() bool { return strings.HasSuffix(s.eventLog()[before:], "\n") })
		if events := s.decoded(s.eventLog()[before:]); events[0]["client.ip"] != c.want {
			t.Errorf("%s is taken for %v, want %s", c.name, events[0]["client.ip"], c.want)
		}
	}
}

// TestCertificatesAreReplacedUnderLoad: no request fails, open connections go on,
// new ones are shown the new certificate, and /status says which that is.
func TestCertificatesAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	s := lone(t, door(""))
	s.startGateway()
	var stop atomic.Bool
	var asked atomic.Int64
	var running sync.WaitGroup
	for i := range 4 {
		client := s.newClient()
		running.Go(func() {
			for !stop.Load() {
				res, err := client.Get(s.gatewayURL + "/door")
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				if _ = res.Body.Close(); err != nil || res.StatusCode != 200 {
					t.Errorf("a request was answered with %d: %v", res.StatusCode, err)
					return
				}
				asked.Add(1)
				if i%2 == 0 { // half of them open a connection each time
					client.CloseIdleConnections()
				}
			}
		})
	}
	defer running.Wait()
	defer stop.Store(true)
	was := s.fingerprint()
	if told := s.served(); told != was {
		t.Errorf("/status tells %s, and clients are shown %s", told, was)
	}
	gate, other := s.leaf("gateway"), s.leaf("search") // both are for localhost
	for _, file := range [][2]string{{other.Key, gate.Key}, {other.Cert, gate.Cert}} {
		data, err := os.ReadFile(file[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file[1]+".tmp", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file[1]+".tmp", file[1]); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the new certificate is shown", 30*time.Second, func() bool { return s.fingerprint() != was })
	if told := s.served(); told != s.fingerprint() {
		t.Errorf("/status tells %s, and clients are shown %s", told, s.fingerprint())
	}
	began := asked.Load()
	until(t, "requests go on", 30*time.Second, func() bool { return asked.Load() > began+100 || t.Failed() })
	if expiry := s.number(`portcullis_certificate_expiry_timestamp_seconds{file="` + gate.Cert + `"}`); expiry < float64(time.Now().Unix()) {
		t.Errorf("the metric tells that the certificate ended: %v", expiry)
	}
}

// fingerprint is that of the certificate clients are shown, whose keys are
// exchanged by the hybrid of today.
func (s *system) fingerprint() string {
	s.t.Helper()
	conn, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS12})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if curve := conn.ConnectionState().CurveID; curve != tls.X25519MLKEM768 {
		s.t.Errorf("keys are exchanged by %v", curve)
	}
	print := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(print[:])
}

// served is the fingerprint of the first certificate in /status.
func (s *system) served() string {
	s.t.Helper()
	res, err := http.Get(s.opsURL + "/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var status struct {
		TLS struct {
			Certificates []struct {
				Names       []string
				Issuer      string
				NotAfter    time.Time `json:"not_after"`
				Fingerprint string    `json:"fingerprint_sha256"`
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&status); err != nil {
		s.t.Fatal(err)
	}
	c := status.TLS.Certificates[0]
	if len(c.Names) == 0 || c.Issuer == "" || c.NotAfter.Before(time.Now()) {
		s.t.Errorf("/status tells of the certificate: %+v", c)
	}
	return c.Fingerprint
}
