// Package mail sends mails over SMTP, with STARTTLS and a certificate that is
// checked, or not at all: a link in a mail is as good as a password.
package mail

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// sendTime bounds one try to send one mail. Those behind it wait as long.
const sendTime = 20 * time.Second

// ErrRecipient says that the mail server will not take mails for this address,
// however often it is tried.
var ErrRecipient = errors.New("the mail server refuses this recipient for good")

// Config says how mails go out.
type Config struct {
	// Addr is the mail server's host:port.
	Addr string
	// From is the address that mails come from, without a name.
	From string
	// Hello is the name of this host for the server's EHLO.
	Hello string
	// TLS has the roots that the server's certificate is checked against; nil
	// for the system's.
	TLS *tls.Config
	// User and Password sign in at the mail server; empty for none.
	User, Password string
}

// Sender speaks to the mail server. It keeps no connection: mails are rare. It
// is safe for concurrent use.
type Sender struct {
	from   string
	client *mail.Client
}

// Letter is one mail to one address.
type Letter struct {
	To, Subject string
	// Text and HTML say the same.
	Text, HTML string
	// ID, if set, is the part of the Message-ID before the @. A mail that may be
	// sent twice has the same both times, so that readers can tell.
	ID          string
	Attachments []Attachment
}

// Attachment is a file that goes along.
type Attachment struct {
	Name, Type string // Type is a media type such as application/pdf
	Data       []byte
}

// New returns a sender. It connects to nobody yet.
func New(c Config) (*Sender, error) {
	host, portText, err := net.SplitHostPort(c.Addr)
	port, errPort := strconv.Atoi(portText)
	if err != nil || errPort != nil || host == "" {
		return nil, fmt.Errorf("the mail server %q is not host:port: write for instance mail.example.com:587", c.Addr)
	}
	from, err := netmail.ParseAddress(c.From)
	if err != nil || from.Name != "" || from.Address != c.From {
		return nil, fmt.Errorf("mails cannot come from %q: write a plain address, such as no-reply@example.com", c.From)
	}
	roots := &tls.Config{}
	if c.TLS != nil {
		roots = c.TLS.Clone()
	}
	if roots.InsecureSkipVerify {
		return nil, errors.New("the mail server's certificate must be checked: InsecureSkipVerify is set")
	}
	roots.ServerName, roots.MinVersion = host, tls.VersionTLS12
	options := []mail.Option{
		mail.WithPort(port), mail.WithTLSConfig(roots), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTimeout(sendTime), mail.WithHELO(c.Hello), mail.WithoutNoop(),
	}
	if c.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(c.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the mail client: %w", err)
	}
	return &Sender{from: c.From, client: client}, nil
}

// Send sends one letter. An error with ErrRecipient in it will be the same at
// every try. No error names the recipient, who is nobody's business in a log.
func (s *Sender) Send(ctx context.Context, l Letter) error {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(s.from), message.To(l.To)); err != nil {
		return ErrRecipient
	}
	message.Subject(l.Subject)
	message.SetDate()
	_, domain, _ := strings.Cut(s.from, "@")
	id := l.ID
	if id == "" {
		id = strings.ToLower(rand.Text())
	}
	message.SetMessageIDWithValue(id + "@" + domain)
	// RFC 3834: no out-of-office reply to us, please.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, l.Text)
	message.AddAlternativeString(mail.TypeTextHTML, l.HTML)
	for _, a := range l.Attachments {
		if err := message.AttachReader(a.Name, bytes.NewReader(a.Data), mail.WithFileContentType(mail.ContentType(a.Type))); err != nil {
			return fmt.Errorf("attach %q: %w", a.Name, err)
		}
	}

	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	err := s.client.DialAndSendWithContext(ctx, message)
	if message.IsDelivered() {
		return nil // whatever went wrong when saying good-bye
	}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		if e.Reason == mail.ErrSMTPRcptTo && !e.IsTemp() {
			return ErrRecipient
		}
		return fmt.Errorf("%s: the mail server answered %d", e.Reason, e.ErrorCode()) // its text names the recipient
	}
	return err
}
