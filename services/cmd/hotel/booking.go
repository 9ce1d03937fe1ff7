package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	ui "portcullis/services/booking"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
)

const (
	// bookingPatience is for a booking: behind it are the bank and all retries.
	bookingPatience = 20 * time.Second
	// searchPatience is for partners' offers; what is slower is not shown.
	searchPatience = 8 * time.Second
	// documentPatience is for a receipt, exportPatience for all of a guest's data
	// and for what changes it.
	documentPatience = 5 * time.Second
	exportPatience   = 12 * time.Second
	paymentsPatience = 5 * time.Second
)

func bookingCommand() *cobra.Command {
	p := &process{name: "booking"}
	public, address := "", map[string]*string{}
	command := &cobra.Command{
		Use:   "booking",
		Short: "The pages on which guests search, book and pay",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command, func(ctx context.Context, parts *parts) (service, error) {
				c := ui.Config{
					Path:      parts.database,
					PublicURL: public,
					Issuer:    p.issuer,
					ClientID:  p.clientID,
					Secret:    parts.secret,
					HTTP:      parts.tokens,
					Guard:     parts.guard,
					Log:       parts.log,
				}
				for _, n := range []struct {
					name     string
					to       **peer.Client
					patience time.Duration
					scopes   []string // of our own tokens; none where we act only for guests
				}{
					{"search", &c.Search, searchPatience, []string{hotel.ScopeSearchRead}},
					{"reservations", &c.Reservations, bookingPatience, nil},
					{"users", &c.Users, exportPatience, nil},
					{"reporting", &c.Reporting, documentPatience, []string{hotel.ScopeDocumentsRead}},
					{"payments", &c.Payments, paymentsPatience, nil},
				} {
					client, err := parts.guestPeer(n.name, *address[n.name], n.patience, n.scopes...)
					if err != nil {
						return nil, err
					}
					*n.to = client
				}
				return ui.New(ctx, c)
			})
		},
	}
	p.flags(command, "localhost:9106")
	f := command.Flags()
	f.StringVar(&public, "public-url", "https://localhost:8443", "what browsers call these pages")
	for name, port := range map[string]string{"search": "9101", "reservations": "9102", "payments": "9103", "users": "9104", "reporting": "9105"} {
		address[name] = f.String(name, "https://localhost:"+port, "address of the service "+name)
	}
	return command
}

// nobody has no token: what a guest alone may ask for cannot be asked for by us.
type nobody string

func (n nobody) Token(context.Context) (string, error) {
	return "", fmt.Errorf("%s is asked for guests only: %w", string(n), errors.ErrUnsupported)
}

// guestPeer makes a client of a neighbour that is called for guests, and for
// ourselves only with scopes.
func (a *parts) guestPeer(name, address string, patience time.Duration, scopes ...string) (*peer.Client, error) {
	exchanger, err := a.exchanger(name)
	if err != nil {
		return nil, err
	}
	c := peer.Config{
		Name: name, URL: address, TLS: a.client.Clone(), Credential: nobody(name), Exchange: exchanger,
		Timeout: patience, RequestID: chassis.RequestID, Log: a.log,
	}
	if len(scopes) > 0 {
		source, err := a.source(name, scopes...)
		if err != nil {
			return nil, err
		}
		c.Credential = source
		a.sources = append(a.sources, source)
	}
	client, err := peer.New(c)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	a.peers = append(a.peers, client)
	return client, nil
}
