package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portcullis/services/hotel"
	"portcullis/services/search"
)

func searchCommand() *cobra.Command {
	p := &process{name: "search"}
	neighbour := ""
	fresh, stale := time.Duration(0), time.Duration(0)
	chains := &chains{}
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
				partners, err := chains.clients(0, parts.log)
				if err != nil {
					return nil, err
				}
				return search.New(ctx, search.Config{
					Path:         parts.database,
					Reservations: client,
					Fresh:        fresh,
					Stale:        stale,
					Partners:     titled(partners),
					Guard:        parts.guard,
					Log:          parts.log,
				})
			})
		},
	}
	p.flags(command, "localhost:9101")
	f := command.Flags()
	f.StringVar(&neighbour, "reservations", "https://localhost:9102", "address of the service reservations")
	f.DurationVar(&fresh, "fresh", 2*time.Second, "how long an answer about free rooms stands for a new one; 0 asks for every search")
	f.DurationVar(&stale, "stale", time.Minute, "how old an answer may be that is given, with its age, while reservations is away; 0 gives none")
	chains.flags(f)
	return command
}

// titled gives partners the names that guests read.
func titled(all []chain) []search.Partner {
	var partners []search.Partner
	for _, c := range all {
		partners = append(partners, search.Partner{Name: c.name, Title: strings.ToUpper(c.name[:1]) + c.name[1:], Client: c.client})
	}
	return partners
}
