package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/mail"
	"portcullis/services/users"
)

// guests is what the command line says about the service users.
type guests struct {
	*process
	reservations, payments, reporting, booking string
	smtp, smtpCA, from                         string
	smtpUser, smtpPassword                     string
	desks                                      map[string]string
	bookings                                   string
}

func usersCommand() *cobra.Command {
	g := &guests{process: &process{name: "users"}}
	command := &cobra.Command{
		Use:   "users",
		Short: "Guests' profiles, the mails about their bookings, export and removal of their data",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return g.run(command, func(ctx context.Context, parts *parts) (service, error) { return g.build(ctx, parts) })
		},
	}
	g.flags(command, "localhost:9104")
	f := command.Flags()
	f.StringVar(&g.reservations, "reservations", "https://localhost:9102", "address of the service reservations")
	f.StringVar(&g.payments, "payments", "https://localhost:9103", "address of the service payments")
	f.StringVar(&g.reporting, "reporting", "https://localhost:9105", "address of the service reporting")
	f.StringVar(&g.booking, "booking", "https://localhost:9106", "address of the service booking")
	f.StringVar(&g.smtp, "smtp", "localhost:9125", "mail server, which must offer STARTTLS")
	f.StringVar(&g.smtpCA, "smtp-ca", "", "authorities that sign the mail server's certificate; the system's if empty")
	f.StringVar(&g.smtpUser, "smtp-user", "", "who signs in at the mail server; nobody if empty")
	f.StringVar(&g.smtpPassword, "smtp-password-file", "", "file with the password of --smtp-user")
	f.StringVar(&g.from, "mail-from", "bookings@hotel.test", "address that mails come from")
	f.StringToStringVar(&g.desks, "hotel-mail", nil, "HOTEL=ADDRESS of a hotel's desk, repeated; bookings@HOTEL.hotel.test for all others")
	f.StringVar(&g.bookings, "bookings-url", "https://localhost:8443/bookings", "page where guests find their bookings, for links in mails")
	return command
}

func (g *guests) build(ctx context.Context, parts *parts) (*users.Service, error) {
	sender, err := g.sender()
	if err != nil {
		return nil, err
	}
	c := users.Config{Path: parts.database, Mail: sender, Desks: g.desks, Bookings: g.bookings, Guard: parts.guard, Log: parts.log}
	for _, n := range []struct {
		name, address string
		into          *users.Neighbour
	}{
		{"reservations", g.reservations, &c.Reservations}, {"payments", g.payments, &c.Payments},
		{"reporting", g.reporting, &c.Reporting}, {"booking", g.booking, &c.Booking},
	} {
		// A client for each scope: who reads for an export cannot erase.
		var failed [2]error
		n.into.Export, failed[0] = parts.peer(n.name, n.address, hotel.ScopeGuestExport)
		n.into.Erase, failed[1] = parts.peer(n.name, n.address, hotel.ScopeGuestErase)
		if err := errors.Join(failed[:]...); err != nil {
			return nil, err
		}
	}
	if c.Documents, err = parts.peer("reporting", g.reporting, hotel.ScopeDocumentsRead); err != nil {
		return nil, err
	}
	if c.Accounts, err = g.accounts(parts); err != nil {
		return nil, err
	}
	return users.New(ctx, c)
}

// accounts calls the token service, which is its own audience.
func (g *guests) accounts(parts *parts) (*peer.Client, error) {
	client, err := parts.peer(token.FeedAudience, g.issuer, token.EraseScope)
	if err != nil {
		return nil, fmt.Errorf("--issuer: %w", err)
	}
	return client, nil
}

// sender speaks to the mail server, to whom we show no certificate.
func (g *guests) sender() (*mail.Sender, error) {
	c := mail.Config{Addr: g.smtp, From: g.from, Hello: "users.hotel.test", User: g.smtpUser}
	if g.smtpCA != "" {
		trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: g.smtpCA}})
		if err != nil {
			return nil, fmt.Errorf("--smtp-ca: %w", err)
		}
		c.TLS = trust.Client()
	}
	if g.smtpUser != "" {
		password, err := token.ReadSecret(g.smtpPassword)
		if err != nil {
			return nil, fmt.Errorf("--smtp-password-file: %w", err)
		}
		c.Password = password
	}
	sender, err := mail.New(c)
	if err != nil {
		return nil, fmt.Errorf("--smtp, --mail-from: %w", err)
	}
	return sender, nil
}
