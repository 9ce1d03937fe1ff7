package pages_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// mailServer is a real one that takes mails over STARTTLS alone.
type mailServer struct {
	addr  string
	roots *x509.CertPool
	asked atomic.Int32 // mails begun

	mu    sync.Mutex
	mails []letter
	read  int
	// refuse answers the next mails' recipients with these errors.
	refuse  []error
	arrived chan struct{}
}

// letter is a mail that arrived.
type letter struct {
	from, to   string
	header     mail.Header
	text, html string
	tls        bool
}

func startMail(t *testing.T, startTLS bool) *mailServer {
	t.Helper()
	m := &mailServer{arrived: make(chan struct{}, 1000)}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &delivery{server: m, conn: c}, nil
	}))
	server.Domain = "mail.hotel.example"
	config, roots := certificate(t)
	if m.roots = roots; startTLS {
		server.TLSConfig = config
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return m
}

// certificate makes an authority and a certificate of the mail server.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// delivery is one connection.
type delivery struct {
	server *mailServer
	conn   *smtp.Conn
	mail   letter
}

func (d *delivery) Reset()        {}
func (d *delivery) Logout() error { return nil }

func (d *delivery) Mail(from string, _ *smtp.MailOptions) error {
	_, d.mail.tls = d.conn.TLSConnectionState()
	d.mail.from = from
	d.server.asked.Add(1)
	return nil
}

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	if len(d.server.refuse) > 0 {
		err := d.server.refuse[0]
		d.server.refuse = d.server.refuse[1:]
		d.server.arrived <- struct{}{}
		return err
	}
	d.mail.to = to
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	d.mail.header = message.Header
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts := multipart.NewReader(message.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(quotedprintable.NewReader(part)); err != nil {
			return err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			d.mail.text = body.String()
		} else {
			d.mail.html = body.String()
		}
	}
	d.server.mu.Lock()
	d.server.mails = append(d.server.mails, d.mail)
	d.server.mu.Unlock()
	d.server.arrived <- struct{}{}
	return nil
}

// next is the next mail that arrives, and it must be to this address.
func (m *mailServer) next(t *testing.T, to string) letter {
	t.Helper()
	select {
	case <-m.arrived:
	case <-time.After(time.Minute):
		t.Fatalf("no mail to %q", to)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.read >= len(m.mails) {
		t.Fatalf("a mail to %q was refused, and should not have been", to)
	}
	l := m.mails[m.read]
	m.read++
	if l.to != to || !l.tls {
		t.Fatalf("a mail to %q arrived (by TLS: %v), want one to %q", l.to, l.tls, to)
	}
	return l
}

func (m *mailServer) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mails)
}

// token is the one in the link, the same in both bodies.
func (l letter) token(t *testing.T) string {
	t.Helper()
	text, html := tokenInMail.FindStringSubmatch(l.text), tokenInMail.FindStringSubmatch(l.html)
	if text == nil || html == nil || text[1] != html[1] {
		t.Fatalf("no link in both parts of the mail:\n%s\n%s", l.text, l.html)
	}
	return text[1]
}
