package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/store"
)

func clientDisable() *cobra.Command {
	var data string
	var undo bool
	cmd := &cobra.Command{
		Use:   "disable NAME",
		Short: "Give a client no more tokens, at once",
		Long: `Makes the service refuse a client from its next request on, whatever the policy
files say. Tokens it already has live out their minutes.`,
		Args: oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			db, err := store.Open(cmd.Context(), data)
			if err != nil {
				return err
			}
			defer db.Close()
			// The policy files are not asked: a mistake in one of them must not
			// stand in the way of shutting somebody out.
			account, err := db.Account(cmd.Context(), name)
			if err != nil {
				return err
			}
			if account.Digests[0] == "" {
				return fmt.Errorf("client %q has no secret in %q: is the name right?", name, data)
			}
			if undo {
				return db.Enable(cmd.Context(), name)
			}
			return db.Disable(cmd.Context(), name, time.Now())
		},
	}
	cmd.Flags().StringVar(&data, "data", ".run/data/authserver", "the folder of the database")
	cmd.Flags().BoolVar(&undo, "undo", false, "let the client in again")
	return cmd
}
