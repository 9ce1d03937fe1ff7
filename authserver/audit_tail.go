package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/audit"
	"portcullis/services/chassis"
)

func auditTail() *cobra.Command {
	var data string
	v := audit.View{}
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the last records",
		Long:  "Shows the last records of the audit log, one a line, and with -f those that come.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if v.Lines < 0 {
				return fmt.Errorf("--lines %d is negative", v.Lines)
			}
			ctx, stop := chassis.Signals(cmd.Context())
			defer stop()
			v.Dir = auditDir(data)
			return audit.Tail(ctx, v, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	dataFlag(f, &data)
	f.IntVarP(&v.Lines, "lines", "n", 10, "how many of the last")
	f.BoolVarP(&v.Follow, "follow", "f", false, "go on with those that come")
	f.BoolVar(&v.JSON, "json", false, "the lines as they are")
	return cmd
}
