package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/store"
)

func keysList() *cobra.Command {
	var data string
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the keys, and what happens to each next",
		Args:  cobra.NoArgs,
	}
	terms := keyTerms(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		db, err := store.Open(cmd.Context(), data)
		if err != nil {
			return err
		}
		defer db.Close()
		stored, err := db.Keys(cmd.Context())
		if err != nil {
			return err
		}
		listed, err := keyring.List(stored, *terms, all)
		if err != nil {
			return err
		}
		if asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(listed)
		}
		return tabulate(cmd.OutOrStdout(), listed)
	}
	dataFlag(cmd.Flags(), &data)
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	cmd.Flags().BoolVar(&all, "all", false, "also keys that are gone")
	return cmd
}

func tabulate(w io.Writer, listed []keyring.Listed) error {
	then := map[keyring.Kind]string{keyring.Promoted: "signs", keyring.Retired: "signs no more", keyring.Removed: "is gone"}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KID\tALGORITHM\tSTATE\tSINCE\tTHEN\tAT")
	for _, l := range listed {
		state := string(l.State)
		if l.Revoked {
			state = "revoked"
		}
		what := "-"
		if l.Then != "" {
			what = then[l.Then]
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Algorithm, state, inShort(l.Since), what, inShort(l.When))
	}
	return table.Flush()
}

// inShort writes a time to be read by people.
func inShort(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
