package accounts

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"portcullis/services/mail"
)

// MailConfig says how mails go out; see mail.Config.
type MailConfig = mail.Config

// mailer writes letters and sends them.
type mailer struct {
	issuer string
	sender *mail.Sender
}

func newMailer(cfg MailConfig, issuer *url.URL) (*mailer, error) {
	from, ok := NormalizeEmail(cfg.From)
	if !ok {
		return nil, fmt.Errorf("mails cannot come from %q: write a plain address, such as no-reply@example.com", cfg.From)
	}
	cfg.From, cfg.Hello = from, issuer.Hostname()
	sender, err := mail.New(cfg)
	if err != nil {
		return nil, err
	}
	return &mailer{issuer: strings.TrimSuffix(issuer.String(), "/"), sender: sender}, nil
}

// send sends one letter. An error with mail.ErrRecipient in it will be the same
// at every try.
func (m *mailer) send(ctx context.Context, to string, l letter) error {
	html, err := l.html(m.issuer)
	if err != nil {
		return fmt.Errorf("write a mail: %w", err)
	}
	return m.sender.Send(ctx, mail.Letter{To: to, Subject: l.Subject, Text: l.text(m.issuer), HTML: html})
}
