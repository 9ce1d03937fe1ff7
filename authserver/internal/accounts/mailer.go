package accounts

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// mailTimeout bounds one try to send one mail. Those behind it wait as long.
const mailTimeout = 20 * time.Second

// MailConfig says how mails go out: over SMTP, with STARTTLS and a certificate
// that is checked, or not at all, because a link in a mail is as good as a
// password.
type MailConfig struct {
	// Addr is the mail server's host:port.
	Addr string
	// From is the address that mails come from, without a name.
	From string
	// TLS has the roots that the server's certificate is checked against; nil
	// for the system's.
	TLS *tls.Config
	// User and Password sign in at the mail server; empty for none.
	User, Password string
}

// mailer speaks to the mail server. It keeps no connection: mails are rare.
type mailer struct {
	from, issuer string
	client       *mail.Client
}

func newMailer(cfg MailConfig, issuer *url.URL) (*mailer, error) {
	host, portText, err := net.SplitHostPort(cfg.Addr)
	port, errPort := strconv.Atoi(portText)
	if err != nil || errPort != nil || host == "" {
		return nil, fmt.Errorf("the mail server %q is not host:port: write for instance mail.example.com:587", cfg.Addr)
	}
	from, ok := NormalizeEmail(cfg.From)
	if !ok {
		return nil, fmt.Errorf("mails cannot come from %q: write a plain address, such as no-reply@example.com", cfg.From)
	}
	roots := &tls.Config{}
	if cfg.TLS != nil {
		roots = cfg.TLS.Clone()
	}
	if roots.InsecureSkipVerify {
		return nil, errors.New("the mail server's certificate must be checked: InsecureSkipVerify is set")
	}
	roots.ServerName, roots.MinVersion = host, tls.VersionTLS12
	options := []mail.Option{
		mail.WithPort(port), mail.WithTLSConfig(roots), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTimeout(mailTimeout), mail.WithHELO(issuer.Hostname()), mail.WithoutNoop(),
	}
	if cfg.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(cfg.User), mail.WithPassword(cfg.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the mail client: %w", err)
	}
	return &mailer{from: from, issuer: strings.TrimSuffix(issuer.String(), "/"), client: client}, nil
}

// send sends one letter. An error with errRecipient in it will be the same at
// every try.
func (m *mailer) send(ctx context.Context, to string, l letter) error {
	html, err := l.html(m.issuer)
	if err != nil {
		return fmt.Errorf("write a mail: %w", err)
	}
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(m.from), message.To(to)); err != nil {
		return errors.Join(errRecipient, err)
	}
	message.Subject(l.Subject)
	message.SetDate()
	_, domain, _ := strings.Cut(m.from, "@")
	message.SetMessageIDWithValue(strings.ToLower(rand.Text()) + "@" + domain)
	// RFC 3834: no out-of-office reply to us, please.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, l.text(m.issuer))
	message.AddAlternativeString(mail.TypeTextHTML, html)

	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	err = m.client.DialAndSendWithContext(ctx, message)
	if message.IsDelivered() {
		return nil // whatever went wrong when saying good-bye
	}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		if e.Reason == mail.ErrSMTPRcptTo && !e.IsTemp() {
			return errRecipient
		}
		// Its text names the recipient, and that is nobody's business in a log.
		return fmt.Errorf("%s: the mail server answered %d", e.Reason, e.ErrorCode())
	}
	return err
}

// errRecipient: the mail server will not take mails for this address.
var errRecipient = errors.New("the mail server refuses this recipient for good")
