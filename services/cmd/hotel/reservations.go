package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/reservations"
)

func reservationsCommand() *cobra.Command {
	p := &process{name: "reservations"}
	n := &neighbours{}
	command := &cobra.Command{
		Use:   "reservations",
		Short: "Quotes, reservations and which rooms are free",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command, func(ctx context.Context, parts *parts) (service, error) {
				c, err := n.config(parts)
				if err != nil {
					return nil, err
				}
				return reservations.New(ctx, *c)
			})
		},
	}
	p.flags(command, "localhost:9102")
	f := command.Flags()
	f.StringVar(&n.search, "search", "https://localhost:9101", "address of the service search")
	f.StringVar(&n.payments, "payments", "https://localhost:9103", "address of the service payments")
	f.StringVar(&n.users, "users", "https://localhost:9104", "address of the service users")
	f.StringVar(&n.reporting, "reporting", "https://localhost:9105", "address of the service reporting")
	n.partners.flags(f)
	f.DurationVar(&n.hold, "hold", 2*time.Minute, "how long a room is held for a booking that is not decided")
	f.DurationVar(&n.patience, "patience", 1500*time.Millisecond, "how long a booking may take before its sender is told to look again")
	return command
}

// neighbours are whom reservations calls, and how patient it is with them.
type neighbours struct {
	search, payments, users, reporting string
	partners                           chains
	hold, patience                     time.Duration
}

const (
	// bankTime is how long a charge may take. Nobody waits for it: the guest was
	// told to look again long before, and the room is held.
	bankTime = 10 * time.Second
	// partnerTime is how long a partner may take to book a room.
	partnerTime = 5 * time.Second
	// renderTime is how long a receipt may take before it is asked for again.
	renderTime = 5 * time.Second
)

func (n *neighbours) config(parts *parts) (*reservations.Config, error) {
	c := &reservations.Config{
		Path: parts.database, Guard: parts.guard, Log: parts.log,
		Hold: n.hold, Patience: n.patience, Partners: map[string]*peer.Outside{},
	}
	for _, of := range []struct {
		client        **peer.Client
		name, address string
		timeout       time.Duration
		scope         string
	}{
		{&c.Search, "search", n.search, 0, hotel.ScopeSearchRead},
		{&c.Payments, "payments", n.payments, bankTime, hotel.ScopeChargesSettle},
		{&c.Reporting, "reporting", n.reporting, renderTime, hotel.ScopeDocumentsWrite},
		{&c.Users, "users", n.users, 0, hotel.ScopeEventsWrite},
	} {
		client, err := parts.peerWithin(of.timeout, of.name, of.address, of.scope)
		if err != nil {
			return nil, err
		}
		*of.client = client
	}
	partners, err := n.partners.clients(partnerTime, parts.log)
	if err != nil {
		return nil, err
	}
	for _, p := range partners {
		c.Partners[p.name] = p.client
	}
	return c, nil
}
