package sandbox

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"portcullis/certs"
)

// world is a sandbox that takes mail and shows it, and a client that trusts it.
type world struct {
	*testing.T
	smtp  string
	inbox *httptest.Server
	tls   *tls.Config
	stop  func() error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	authority, err := certs.Dev(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server, err := certs.NewServer(certs.ServerConfig{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	client, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: files.CA}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{TLS: server.Server("smtp")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	w := &world{T: t, smtp: l.Addr().String(), inbox: httptest.NewServer(s.Handler()), tls: client.Client()}
	w.tls.ServerName = "localhost"
	w.stop = func() error { cancel(); return <-ended }
	t.Cleanup(func() { cancel(); w.inbox.Close() })
	return w
}

// dial connects as a sender does who insists on TLS.
func (w *world) dial() *smtp.Client {
	w.Helper()
	c, err := smtp.DialStartTLS(w.smtp, w.tls)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return c
}

// send sends a mail; lines end in \n here.
func (w *world) send(from, mail string, to ...string) {
	w.Helper()
	c := w.dial()
	if err := c.SendMail(from, to, strings.NewReader(strings.ReplaceAll(mail, "\n", "\r\n"))); err != nil {
		w.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		w.Fatal(err)
	}
}

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (w *world) ask(method, path string, fields ...string) answer {
	w.Helper()
	r, err := http.NewRequest(method, w.inbox.URL+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := w.inbox.Client().Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// found is what the API knows of mail to an address.
func (w *world) found(to string) []message {
	w.Helper()
	a := w.ask("GET", "/api/messages?to="+url.QueryEscape(to))
	var list struct{ Messages []message }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		w.Fatalf("status %d, %v: %s", a.status, err, a.body)
	}
	return list.Messages
}
