package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"portcullis/authserver/internal/accounts"
	"portcullis/authserver/token"
	"portcullis/certs"
)

// mailFlags say how mail is sent.
type mailFlags struct{ smtp, ca, from, user, passwordFile string }

func (m *mailFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&m.smtp, "smtp", "", "host:port of the mail server, which must speak STARTTLS; without one nobody can sign up or reset a password")
	f.StringVar(&m.ca, "smtp-ca", "", "a PEM file of the authorities to trust for the mail server, instead of the system's")
	f.StringVar(&m.from, "mail-from", "", "the address mail is sent from")
	f.StringVar(&m.user, "smtp-user", "", "who we are to the mail server, if it asks")
	f.StringVar(&m.passwordFile, "smtp-password-file", "", "the file that holds our password there")
}

// config is what the accounts want to know of it.
func (m mailFlags) config() (accounts.MailConfig, error) {
	c := accounts.MailConfig{Addr: m.smtp, From: m.from, User: m.user}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: m.ca}})
	if err != nil {
		return c, fmt.Errorf("--smtp-ca: %w", err)
	}
	c.TLS = trust.Client()
	if m.passwordFile != "" {
		if c.Password, err = token.ReadSecret(m.passwordFile); err != nil {
			return c, fmt.Errorf("--smtp-password-file: %w", err)
		}
	}
	return c, nil
}
