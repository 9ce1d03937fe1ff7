package users_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"portcullis/certs"
	"portcullis/services/mail"
	"portcullis/services/sandbox"
)

// gate hangs up on whoever comes while it is shut, or lets them wait for ever.
type gate struct {
	net.Listener
	shut, deaf atomic.Bool
	knocked    atomic.Int64
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || !g.shut.Load() && !g.deaf.Load() {
			return conn, err
		}
		g.knocked.Add(1)
		if g.shut.Load() {
			_ = conn.Close()
		}
	}
}

// mailServer starts the sandbox, which takes mail through a gate.
func (w *world) mailServer() {
	w.t.Helper()
	authority, err := certs.Dev(w.t.TempDir(), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := certs.NewServer(certs.ServerConfig{Files: files})
	if err != nil {
		w.t.Fatal(err)
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: files.CA}})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := sandbox.New(sandbox.Config{TLS: server.Server("smtp")})
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.smtp = &gate{Listener: l}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(ctx, w.smtp) }()
	w.inbox = httptest.NewServer(s.Handler())
	w.t.Cleanup(func() { w.inbox.Close(); cancel(); <-ended })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.mail, err = mail.New(mail.Config{Addr: "localhost:" + port, From: "bookings@hotel.test", Hello: "users.hotel.test", TLS: trust.Client()})
	if err != nil {
		w.t.Fatal(err)
	}
}

// message is a mail as the sandbox shows it.
type message struct {
	ID                        int
	From, Subject, Text, HTML string
}

// mails are those to an address, oldest first.
func (w *world) mails(to string) []message {
	w.t.Helper()
	var list struct{ Messages []message }
	if err := json.Unmarshal([]byte(w.page("/api/messages?to="+url.QueryEscape(to))), &list); err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list.Messages)
	return list.Messages
}

// wait waits until so many mails to an address are there, and no more.
func (w *world) wait(to string, want int) []message {
	w.t.Helper()
	w.until(fmt.Sprintf("%d mails to %s", want, to), func() bool { return len(w.mails(to)) >= want })
	got := w.mails(to)
	if len(got) != want {
		w.t.Fatalf("%d mails to %s, want %d: %+v", len(got), to, want, got)
	}
	return got
}
