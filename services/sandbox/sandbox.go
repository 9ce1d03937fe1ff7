// Package sandbox stands in for the world outside the hotel, so that the whole
// system runs on one machine and nothing leaves it. There is a mail sink, which
// takes mail for anybody over SMTP, delivers it nowhere, and shows it on an inbox
// page; and there are partner hotel chains and a bank. Who needs to see how the hotel fares
// with neighbours that are slow, failing or confused tells the latter to be so.
//
// What the inbox shows was written by others. Mail is read within bounds, and its HTML
// is shown in a frame that has no scripts, no forms, no network and no origin.
package sandbox

import (
	"crypto/tls"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"
)

// Config is what the sandbox needs.
type Config struct {
	// TLS is what SMTP clients get after STARTTLS, without which no mail is
	// taken. The inbox is served by the caller, who adds TLS to it too.
	TLS *tls.Config
	// Log takes diagnostics, never a message; nil keeps silent.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Sandbox holds what was sent to it, in memory, until it ends.
type Sandbox struct {
	config  Config
	mailbox *mailbox
	pages   *template.Template
	handler http.Handler
}

// New makes a sandbox. It starts nothing: see Serve and Handler.
func New(c Config) (*Sandbox, error) {
	if c.TLS == nil {
		return nil, errors.New("the mail sink needs a TLS configuration: it takes no mail in the clear")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &Sandbox{config: c, mailbox: &mailbox{}, pages: pages}
	s.handler = s.routes()
	return s, nil
}

// Handler serves the inbox and its API.
func (s *Sandbox) Handler() http.Handler { return s.handler }
