package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"portcullis/services/reporting"
)

func reportingCommand() *cobra.Command {
	p := &process{name: "reporting"}
	verify, renders := "", 0
	command := &cobra.Command{
		Use:   "reporting",
		Short: "Receipts, confirmations and statements as PDF",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command, func(ctx context.Context, parts *parts) (service, error) {
				built, err := reporting.New(ctx, reporting.Config{
					Path:    parts.database,
					Verify:  verify,
					Guard:   parts.guard,
					Log:     parts.log,
					Renders: renders,
				})
				if err != nil {
					return nil, fmt.Errorf("--verify-url, --data: %w", err)
				}
				return built, nil
			})
		},
	}
	p.flags(command, "localhost:9105")
	command.Flags().StringVar(&verify, "verify-url", "https://localhost:8443/verify", "where documents are proved genuine; /DOCUMENT/CODE is added")
	command.Flags().IntVar(&renders, "renders", 0, "documents set at once; one a processor if 0")
	return command
}
