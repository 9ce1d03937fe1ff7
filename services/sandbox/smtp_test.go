package sandbox

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

const greeting = `From: Harbour Hotel <no-reply@hotel.test>
To: g@guest.test
Subject: =?utf-8?q?Sch=C3=B6n?=
Message-ID: <1@hotel.test>

Confirm at https://localhost:8444/verify?code=a&b=c.
`

func TestMailIsTakenForAnybody(t *testing.T) {
	w := newWorld(t)
	w.send("bounce@hotel.test", greeting, "g@guest.test", "hidden@else.test")
	for _, to := range []string{"g@guest.test", "HIDDEN@else.test", ""} {
		got := w.found(to)
		if len(got) != 1 {
			t.Fatalf("%d mails for %q", len(got), to)
		}
		m := got[0]
		if m.ID != 1 || m.From != "Harbour Hotel <no-reply@hotel.test>" || m.Subject != "Schön" ||
			!slices.Equal(m.To, []string{"g@guest.test", "hidden@else.test"}) ||
			m.Text != "Confirm at https://localhost:8444/verify?code=a&b=c.\r\n" || time.Since(m.Received) > time.Minute {
			t.Errorf("got %+v", m)
		}
	}
	if got := w.found("someone@else.test"); len(got) != 0 {
		t.Errorf("someone else has %d mails", len(got))
	}
}

func TestMailInTheClearIsRefused(t *testing.T) {
	w := newWorld(t)
	c, err := smtp.Dial(w.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Mail("a@hotel.test", nil); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("error %v, want one that asks for STARTTLS", err)
	}
}

// Who sits on the line sends commands right behind STARTTLS, hoping that they
// are obeyed as if they had come encrypted (CVE-2011-0411).
func TestWhatComesBeforeTheHandshakeIsNotObeyedAfterIt(t *testing.T) {
	w := newWorld(t)
	conn, err := net.Dial("tcp", w.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	lines := bufio.NewReader(conn)
	fmt.Fprint(conn, "EHLO thief\r\n")
	for line := ""; !strings.HasPrefix(line, "250 "); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprint(conn, "STARTTLS\r\nEHLO thief\r\nMAIL FROM:<thief@else.test>\r\n")
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "220 ") {
		t.Fatalf("%q, %v", line, err)
	}
	encrypted := tls.Client(conn, w.tls)
	if err := encrypted.Handshake(); err != nil {
		return // it may as well hang up
	}
	fmt.Fprint(encrypted, "EHLO guest\r\nRCPT TO:<g@guest.test>\r\n")
	lines = bufio.NewReader(encrypted)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "250") {
			continue // the greeting of the one encrypted EHLO
		}
		if !strings.HasPrefix(line, "502") { // no MAIL came before this RCPT
			t.Errorf("the server obeyed what was sent in the clear: %q", line)
		}
		return
	}
}

func TestABrowserCannotSpeakSMTP(t *testing.T) {
	w := newWorld(t)
	config := w.tls.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	if c, err := smtp.DialStartTLS(w.smtp, config); err == nil {
		if err = c.Noop(); err == nil {
			t.Error("the handshake of a browser succeeded")
		}
		c.Close()
	}
}

func TestMailBeyondTheBoundsIsRefused(t *testing.T) {
	w := newWorld(t)
	t.Run("more than a mebibyte", func(t *testing.T) {
		big := "Subject: big\r\n\r\n" + strings.Repeat("0123456789\r\n", maxMessage/12)
		err := w.dial().SendMail("a@hotel.test", []string{"g@guest.test"}, strings.NewReader(big))
		if known, ok := err.(*smtp.SMTPError); !ok || known.Code != 552 {
			t.Errorf("error %v, want 552", err)
		}
	})
	t.Run("more than fifty recipients", func(t *testing.T) {
		c := w.dial()
		if err := c.Mail("a@hotel.test", nil); err != nil {
			t.Fatal(err)
		}
		for i := range maxRecipients {
			if err := c.Rcpt(fmt.Sprintf("g%d@guest.test", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Rcpt("one@too.test", nil); err == nil {
			t.Error("one more was taken")
		}
	})
	if got := w.found(""); len(got) != 0 {
		t.Errorf("%d mails were kept", len(got))
	}
}

func TestTheSinkEndsWhenItIsTold(t *testing.T) {
	w := newWorld(t)
	w.send("a@hotel.test", greeting, "g@guest.test")
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", w.smtp); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}
