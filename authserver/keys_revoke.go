package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

func keysRevoke() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "revoke KID",
		Short: "Take a key away that somebody may have stolen",
		Long: `Takes a key out of the key set at once, with all tokens that it signed: clients
have to get new ones. If it was the current one, the next one signs from now on.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("revoke takes the kid of one key, as authserver keys list shows it")
			}
			return nil
		},
	}
	terms := keyTerms(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		db, err := store.Open(cmd.Context(), data)
		if err != nil {
			return err
		}
		defer db.Close()
		done, err := keyring.Revoke(cmd.Context(), db, time.Now(), *terms, args[0], func(ctx context.Context, kid string, until time.Time) error {
			// A verifier that cannot renew its key set may hold the key for as long,
			// however short keys are kept.
			if least := issue.LastExpiry(time.Now()); until.Before(least) {
				until = least
			}
			_, err := db.Revoke(ctx, token.Revocation{Kind: token.RevokeKey, Value: kid, Until: until.Unix()})
			return err
		})
		if err != nil {
			return err
		}
		return tell(cmd, data, done)
	}
	dataFlag(cmd.Flags(), &data)
	return cmd
}
