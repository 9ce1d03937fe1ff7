package listen_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"portcullis/certs"
	"portcullis/gateway/internal/listen"
	"portcullis/gateway/internal/pipeline"
)

// wrapped is what stands in for the check of framing.
type wrapped struct{ *tls.Conn }

func TestHTTP2GetsItsConnectionAndEverythingElseIsWrapped(t *testing.T) {
	t.Parallel()
	var n int
	wraps := make(chan int, 1)
	wraps <- 0
	p := open(t, setup{
		config: listen.Config{Wrap: func(conn net.Conn) net.Conn {
			n = <-wraps + 1
			wraps <- n
			return wrapped{conn.(*tls.Conn)}
		}},
		handler: func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Proto + " " + r.TLS.ServerName)) },
	})
	for _, c := range []struct {
		protocols []string
		h2        bool
		want      string
		wraps     int
	}{
		{nil, true, "HTTP/2.0 localhost", 0},
		{[]string{"http/1.1"}, false, "HTTP/1.1 localhost", 1},
		{nil, false, "HTTP/1.1 localhost", 2},
	} {
		config := p.client()
		config.NextProtos = c.protocols
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: c.h2}
		if !c.h2 {
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetHTTP1(true)
		}
		res, err := (&http.Client{Transport: transport, Timeout: never}).Get("https://localhost:" + p.addr[strings.LastIndexByte(p.addr, ':')+1:])
		check(t, err)
		body := make([]byte, 100)
		size, _ := res.Body.Read(body)
		check(t, res.Body.Close())
		transport.CloseIdleConnections()
		now := <-wraps
		wraps <- now
		if string(body[:size]) != c.want || now != c.wraps {
			t.Errorf("%q, and %d connections were wrapped; want %q and %d", body[:size], now, c.want, c.wraps)
		}
	}
}

func TestKeysAreExchangedSafelyFromComputersToCome(t *testing.T) {
	t.Parallel()
	p := open(t, setup{})
	secure := tls.Client(p.dial(2), p.client())
	check(t, secure.Handshake())
	if s := secure.ConnectionState(); s.CurveID != tls.X25519MLKEM768 || s.Version != tls.VersionTLS13 {
		t.Errorf("negotiated are %v and %s", s.CurveID, tls.VersionName(s.Version))
	}
	old := p.client()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := tls.Client(p.dial(2), old).Handshake(); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	unknown := p.client()
	unknown.NextProtos = []string{"smtp"}
	if err := tls.Client(p.dial(2), unknown).Handshake(); err == nil {
		t.Error("a client of another protocol is taken for one of HTTP")
	}
}

// TestTheCertificateIsForTheNameAsked with several on the shelf.
func TestTheCertificateIsForTheNameAsked(t *testing.T) {
	t.Parallel()
	p := open(t, setup{files: []certs.Files{leaf(t, "gateway"), leaf(t, "search")}})
	fingerprints := map[string]bool{}
	for _, s := range p.acceptor.Status().Certificates {
		fingerprints[s.Fingerprint] = true
		if len(s.Names) == 0 || s.Issuer == "" || s.NotAfter.Before(time.Now()) {
			t.Errorf("the status tells %+v", s)
		}
	}
	if len(fingerprints) != 2 {
		t.Fatalf("%d certificates are served", len(fingerprints))
	}
	for name, want := range map[string]string{"search.test": "search", "gateway.test": "gateway", "localhost": "gateway", "": "gateway", "other.test": "gateway"} {
		config := &tls.Config{InsecureSkipVerify: true, ServerName: name, MinVersion: tls.VersionTLS12}
		secure := tls.Client(p.dial(2), config)
		check(t, secure.Handshake())
		shown := secure.ConnectionState().PeerCertificates[0]
		if !slices.ContainsFunc(shown.DNSNames, func(n string) bool { return strings.HasPrefix(n, want) }) {
			t.Errorf("a client of %q is shown a certificate for %q, want one of %s", name, shown.DNSNames, want)
		}
	}
}

// guarded is a policy that asks for certificates for some hosts.
func guarded(t *testing.T, hosts ...string) (*pipeline.Snapshot, tls.Certificate) {
	t.Helper()
	files := leaf(t, "search")
	authorities, err := certs.Authorities(files.CA)
	check(t, err)
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	check(t, err)
	s := &pipeline.Snapshot{ClientCertificates: map[string]*pipeline.ClientAuth{}}
	for _, host := range hosts {
		pool := x509.NewCertPool()
		pool.AddCert(authorities[0])
		s.ClientCertificates[host] = &pipeline.ClientAuth{
			Required: true, Authorities: pool, Roots: map[[32]byte]bool{sha256.Sum256(authorities[0].Raw): true}, Digest: sha256.Sum256([]byte(host)),
		}
	}
	return s, pair
}

func TestCertificatesAreAskedByTheNameOfTheHandshake(t *testing.T) {
	t.Parallel()
	snapshot, pair := guarded(t, "guarded.test")
	p := open(t, setup{snapshot: snapshot})
	for _, c := range []struct {
		name  string
		shows bool
		want  bool
	}{
		{"guarded.test", false, false},
		{"GUARDED.test", false, false},
		{"guarded.test", true, true},
		{"other.test", false, true},
		{"", false, true}, // and the edge refuses what it asks of guarded.test
	} {
		config := &tls.Config{InsecureSkipVerify: true, ServerName: c.name, MinVersion: tls.VersionTLS12}
		if c.shows {
			config.Certificates = []tls.Certificate{pair}
		}
		if _, err := get(p.dial(2), config); (err == nil) != c.want {
			t.Errorf("a client of %q that shows a certificate (%t): %v", c.name, c.shows, err)
		}
	}
}

// sessions is a client's memory of sessions that knows no names: what it got from
// one host it shows to any.
type sessions struct{ last chan *tls.ClientSessionState }

func (s sessions) Get(string) (*tls.ClientSessionState, bool) {
	select {
	case state := <-s.last:
		return state, state != nil
	default:
		return nil, false
	}
}

func (s sessions) Put(_ string, state *tls.ClientSessionState) {
	select {
	case s.last <- state:
	default:
	}
}

// TestASessionOfOneHostIsNoneOfAnother: a client proves who it is to one host, and
// resumes that session for another. Neither what it proved nor what it was spared
// goes with it; and an edit of what is asked ends all sessions from before.
func TestASessionOfOneHostIsNoneOfAnother(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			snapshot, pair := guarded(t, "guarded.test", "stricter.test")
			p := open(t, setup{snapshot: snapshot, handler: func(w http.ResponseWriter, r *http.Request) {
				if r.TLS.DidResume {
					_, _ = w.Write([]byte("resumed "))
				}
				if len(r.TLS.VerifiedChains) > 0 {
					_, _ = w.Write([]byte("known"))
				}
			}})
			memory := sessions{make(chan *tls.ClientSessionState, 1)}
			ask := func(name string, shows bool) string {
				config := &tls.Config{InsecureSkipVerify: true, ServerName: name, MinVersion: version, MaxVersion: version, ClientSessionCache: memory}
				if shows {
					config.Certificates = []tls.Certificate{pair}
				}
				got, err := get(p.dial(2), config)
				if err != nil {
					return "refused"
				}
				return got
			}
			for _, step := range []struct {
				name  string
				shows bool
				want  string
			}{
				{"guarded.test", true, "known"},
				{"guarded.test", false, "resumed known"},
				{"open.test", false, ""},
				{"guarded.test", true, "known"}, // of open.test is nothing resumed
				{"stricter.test", false, "refused"},
			} {
				if got := ask(step.name, step.shows); got != step.want {
					t.Errorf("%s, with a certificate at hand (%t), is answered %q, want %q", step.name, step.shows, got, step.want)
				}
			}
			for len(memory.last) > 0 {
				<-memory.last
			}
			if got := ask("guarded.test", true); got != "known" {
				t.Fatalf("%q", got)
			}
			edited, _ := guarded(t, "guarded.test")
			edited.ClientCertificates["guarded.test"].Digest = sha256.Sum256([]byte("edited"))
			p.current.Store(edited)
			if got := ask("guarded.test", true); got != "known" {
				t.Errorf("after an edit of what is asked, a session from before: %q", got)
			}
		})
	}
}
