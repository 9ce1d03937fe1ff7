package main

import (
	"context"

	"github.com/spf13/cobra"

	"portcullis/services/hotel"
	"portcullis/services/reservations"
	"portcullis/services/search"
)

func searchCommand() *cobra.Command {
	p := &process{name: "search"}
	neighbour := ""
	command := &cobra.Command{
		Use:   "search",
		Short: "Hotels with free rooms for a city, dates and guests",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command, func(ctx context.Context, parts *parts) (service, error) {
				client, err := parts.peer("reservations", neighbour, hotel.ScopeAvailabilityRead)
				if err != nil {
					return nil, err
				}
				return search.New(ctx, search.Config{
					Path:         parts.database,
					Reservations: client,
					Guard:        parts.guard,
					Log:          parts.log,
				})
			})
		},
	}
	p.flags(command, "localhost:9101")
	command.Flags().StringVar(&neighbour, "reservations", "https://localhost:9102", "address of the service reservations")
	return command
}

func reservationsCommand() *cobra.Command {
	p := &process{name: "reservations"}
	neighbour := ""
	command := &cobra.Command{
		Use:   "reservations",
		Short: "Quotes, reservations and which rooms are free",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command, func(ctx context.Context, parts *parts) (service, error) {
				client, err := parts.peer("search", neighbour, hotel.ScopeSearchRead)
				if err != nil {
					return nil, err
				}
				return reservations.New(ctx, reservations.Config{
					Path:   parts.database,
					Search: client,
					Guard:  parts.guard,
					Log:    parts.log,
				})
			})
		},
	}
	p.flags(command, "localhost:9102")
	command.Flags().StringVar(&neighbour, "search", "https://localhost:9101", "address of the service search")
	return command
}
