package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/services/mail"
	"portcullis/services/payments"
)

// paying is what the command line says about payments beside the process.
type paying struct {
	bank, bankCA, bankKey string
	bankTimeout           time.Duration
	smtp, smtpCA, from    string
}

func paymentsCommand() *cobra.Command {
	p, pay := &process{name: "payments"}, &paying{}
	command := &cobra.Command{
		Use:   "payments",
		Short: "Charges cards through the bank, each charge once, and gives money back",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command, func(ctx context.Context, parts *parts) (service, error) { return pay.build(ctx, parts) })
		},
	}
	p.flags(command, "localhost:9103")
	f := command.Flags()
	f.StringVar(&pay.bank, "bank", "https://localhost:9108", "address of the bank")
	f.StringVar(&pay.bankCA, "bank-ca", "", "a PEM file of the authorities to trust for the bank, instead of the system's")
	f.StringVar(&pay.bankKey, "bank-key", "", "file with the bank's API key, read again for each request; none if empty")
	f.DurationVar(&pay.bankTimeout, "bank-timeout", 5*time.Second, "how long the bank may take to answer")
	f.StringVar(&pay.smtp, "smtp", "localhost:9125", "host:port of the mail server, which must speak STARTTLS")
	f.StringVar(&pay.smtpCA, "smtp-ca", "", "a PEM file of the authorities to trust for the mail server, instead of the system's")
	f.StringVar(&pay.from, "mail-from", "payments@hotel.test", "the address mail is sent from")
	return command
}

func (pay *paying) build(ctx context.Context, parts *parts) (service, error) {
	bank := payments.BankConfig{URL: pay.bank, Timeout: pay.bankTimeout}
	var err error
	if bank.TLS, err = outsideTLS("--bank-ca", pay.bankCA); err != nil {
		return nil, err
	}
	if pay.bankKey != "" {
		bank.Key = func() (string, error) { return token.ReadSecret(pay.bankKey) }
		if _, err := bank.Key(); err != nil {
			return nil, fmt.Errorf("--bank-key: %w", err)
		}
	}
	trust, err := outsideTLS("--smtp-ca", pay.smtpCA)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(pay.from, "@")
	sender, err := mail.New(mail.Config{Addr: pay.smtp, From: pay.from, Hello: domain, TLS: trust})
	if err != nil {
		return nil, fmt.Errorf("--smtp, --mail-from: %w", err)
	}
	return payments.New(ctx, payments.Config{Path: parts.database, Bank: bank, Mail: sender, Guard: parts.guard, Log: parts.log})
}

// outsideTLS trusts the authorities of a file, or the system's, for somebody
// outside, who is not shown our certificate.
func outsideTLS(flag, ca string) (*tls.Config, error) {
	client, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: ca}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return client.Client(), nil
}
