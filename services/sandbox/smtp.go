package sandbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// What a sender may cost.
const (
	maxMessage    = 1 << 20 // bytes; a mail of ours has a few thousand
	maxRecipients = 50
	// maxSenders are connections at once, on each listener; more wait in the
	// system's queue.
	maxSenders = 64
	// lineTime bounds the wait for a command, and DATA as a whole.
	lineTime = 30 * time.Second
	// senderTime bounds a whole connection: who sends NOOP for ever has it no
	// longer than who says nothing.
	senderTime = 5 * time.Minute
	// drainTime is what mail that is being sent gets at the end.
	drainTime = 3 * time.Second
)

// Serve takes mail on the listeners, which it closes, until ctx ends. It
// returns nil then, and early with an error when a listener fails.
func (s *Sandbox) Serve(ctx context.Context, listeners ...net.Listener) error {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{sandbox: s, conn: c}, nil
	}))
	server.Domain = "sandbox.hotel.test"
	server.TLSConfig = s.config.TLS.Clone()
	server.MaxMessageBytes = maxMessage
	server.MaxRecipients = maxRecipients
	server.ReadTimeout, server.WriteTimeout = lineTime, lineTime
	server.EnableSMTPUTF8 = true
	server.ErrorLog = slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug)

	failed := make(chan error, len(listeners))
	var open []net.Listener
	for _, l := range listeners {
		l = mortals{netutil.LimitListener(l, maxSenders)}
		open = append(open, l)
		go func() { failed <- server.Serve(l) }()
	}
	var broken error
	serving := len(open)
	select {
	case <-ctx.Done():
	case broken = <-failed:
		serving--
	}
	// Shutdown counts who is still here, and must not count while somebody is let
	// in: it is a race of the server's own.
	for _, l := range open {
		_ = l.Close()
	}
	for range serving {
		<-failed
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if server.Shutdown(end) != nil {
		server.Close() // who is still here had time to finish, or does not mean to
	}
	return broken
}

// mortals is a listener whose connections end after senderTime.
type mortals struct{ net.Listener }

func (m mortals) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &mortal{conn, time.AfterFunc(senderTime, func() { conn.Close() })}, nil
}

type mortal struct {
	net.Conn
	death *time.Timer
}

func (m *mortal) Close() error {
	m.death.Stop()
	return m.Conn.Close()
}

// session is one mail of one sender.
type session struct {
	sandbox *Sandbox
	conn    *smtp.Conn
	from    string
	to      []string
}

// Mail begins a mail. In the clear there is none (RFC 3207, 4): what people are
// sent here opens their accounts.
func (m *session) Mail(from string, _ *smtp.MailOptions) error {
	if _, encrypted := m.conn.TLSConnectionState(); !encrypted {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Must issue a STARTTLS command first"}
	}
	m.from = from
	return nil
}

// Rcpt takes any recipient, for nothing is delivered.
func (m *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	m.to = append(m.to, to)
	return nil
}

// Data takes the mail itself.
func (m *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		if known, ok := errors.AsType[*smtp.SMTPError](err); ok {
			return known // too large
		}
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The message did not arrive whole"}
	}
	read := parse(raw)
	read.To, read.Received = m.to, m.sandbox.config.Now().UTC()
	if read.From == "" {
		read.From = m.from
	}
	m.sandbox.mailbox.add(read)
	return nil
}

func (m *session) Reset()        { m.from, m.to = "", nil }
func (m *session) Logout() error { return nil }
