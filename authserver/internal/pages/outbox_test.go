package pages_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"portcullis/authserver/internal/accounts"
	"portcullis/authserver/internal/store"
)

// mailMostWait is longer than any wait between two tries.
const mailMostWait = 31 * time.Minute

// watcher hands on what is logged.
type watcher struct{ seen chan string }

func (w *watcher) Write(line []byte) (int, error) {
	w.seen <- string(line)
	return len(line), nil
}

// nudge makes the sender look at the outbox.
func (s *service) nudge(t *testing.T) {
	t.Helper()
	if a := s.browser(t).post("/reset", "email", "nobody@hotel.example"); a.status != http.StatusSeeOther {
		t.Fatal(a.body)
	}
}

func TestAMailThatCannotBeSentIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.mail.refuse = []error{&smtp.SMTPError{Code: 451, Message: "ada@hotel.example: later"}, &smtp.SMTPError{Code: 421, Message: "later"}}
	if a := s.browser(t).post("/signup", "email", "ada@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Fatalf("the page waits for the mail server, or tells of it: %d", a.status)
	}
	for range 2 {
		<-s.mail.arrived // and was refused
		s.clock.advance(mailMostWait)
		s.nudge(t)
	}
	token := s.mail.next(t, "ada@hotel.example").token(t)
	if a := s.browser(t).post("/verify", "token", token, "password", password); a.status != http.StatusSeeOther {
		t.Errorf("the link of the last try: %d", a.status)
	}
	if !strings.Contains(s.log.String(), "a mail was not sent") || strings.Contains(s.log.String(), "ada@") {
		t.Errorf("the log says nothing, or the address:\n%s", s.log)
	}
}

func TestARecipientThatIsRefusedForGoodIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.mail.refuse = []error{&smtp.SMTPError{Code: 550, Message: "no such user"}}
	s.browser(t).post("/signup", "email", "ada@hotel.example", "password", password)
	<-s.mail.arrived
	s.clock.advance(mailMostWait)
	s.resetNobody(t)
	if n := s.mail.count(); n != 0 {
		t.Errorf("%d mails after a refusal for good", n)
	}
}

// No one who reads the database, or a backup of it, finds a link that works.
func TestTheDatabaseHoldsNoLinkAndNoSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	token := s.resetToken(t, "ada@hotel.example")
	files, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, file := range files { // the database and its log
		part, err := os.ReadFile(filepath.Join(s.dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	if !bytes.Contains(text, []byte("ada@hotel.example")) {
		t.Fatal("this test reads the wrong files")
	}
	for _, secret := range []string{token, b.session(), password} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%q is in the database", secret)
		}
	}
}

// Somebody in the middle who takes STARTTLS away, or has another certificate,
// reads no link.
func TestAMailServerThatIsNotOursGetsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ startTLS, trusted bool }{
		"another authority": {startTLS: true},
		"no STARTTLS":       {trusted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := store.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			m := startMail(t, c.startTLS)
			cfg := accounts.MailConfig{Addr: m.addr, From: "no-reply@hotel.example", TLS: &tls.Config{RootCAs: m.roots}}
			if !c.trusted {
				cfg.TLS.RootCAs = x509.NewCertPool()
			}
			log := &watcher{seen: make(chan string, 100)}
			a, err := accounts.New(accounts.Config{Store: db, Issuer: "https://localhost", Mail: cfg, Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { a.Run(ctx) })
			defer running.Wait()
			defer stop()
			if err := a.SignUp(t.Context(), accounts.Caller{}, "ada@hotel.example", password); err != nil {
				t.Fatal(err)
			}
			select {
			case line := <-log.seen:
				if !strings.Contains(line, "a mail was not sent") {
					t.Errorf("the log says %s", line)
				}
			case <-m.arrived:
				t.Error("a mail arrived")
			}
			if m.count() != 0 || m.asked.Load() != 0 {
				t.Errorf("%d mails, %d begun", m.count(), m.asked.Load())
			}
		})
	}
}
