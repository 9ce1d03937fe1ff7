package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/control"
	"portcullis/gateway/internal/pipeline"
)

func decisionsCommand(stdout io.Writer) *cobra.Command {
	var path string
	var denied bool
	var wanted control.Wanted
	cmd := &cobra.Command{
		Use:   "decisions",
		Short: "List what a running gateway decided last, the newest first",
		Long: "Decisions lists the requests that a running gateway remembers, one a line, the newest first. gateway explain ID\n" +
			"tells why one of them was decided so.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if denied {
				wanted.Decision = pipeline.Deny.String()
			}
			list, err := control.NewClient(path).Decisions(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
			for _, e := range list {
				fmt.Fprintf(w, "%s\t%s\t%s %d\t%s\t%q\n", e.Time.Local().Format("15:04:05.000"), e.ID, e.Decision, e.Status, by(e), e.Method+" "+e.Path)
			}
			return w.Flush()
		},
	}
	f := cmd.Flags()
	controlFlag(f, &path)
	f.IntVarP(&wanted.Last, "last", "n", 20, "how many, at most 1000")
	f.BoolVar(&denied, "denied", false, "only those that were denied")
	f.StringVar(&wanted.Route, "route", "", "only those of this route")
	return cmd
}

// by says who decided.
func by(e pipeline.Explained) string {
	text := e.Route
	if text == "" {
		text = "no route"
	}
	if e.Stage != "" {
		text += ", " + e.Stage
	}
	return text
}
