package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

func clientDisable() *cobra.Command {
	var k kept
	var undo bool
	cmd := &cobra.Command{
		Use:   "disable NAME",
		Short: "Give a client no more tokens, at once",
		Long: `Makes the service refuse a client from its next request on, whatever the policy
files say, and revokes the tokens that it has.`,
		Args: oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			db, err := store.Open(cmd.Context(), k.data)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := k.heardOf(cmd.Context(), db, name); err != nil {
				return err
			}
			if undo {
				if err := db.Enable(cmd.Context(), name); err != nil {
					return err
				}
				return recordChange(cmd.Context(), k.data, audit.Record{Action: "client.enable", Outcome: "success", Client: name})
			}
			// First no new ones, then an end to the old ones.
			if err := db.Disable(cmd.Context(), name, time.Now()); err != nil {
				return err
			}
			now := time.Now()
			if _, err := db.Revoke(cmd.Context(), token.Revocation{
				Kind: token.RevokeClient, Value: name, Before: now.Add(issue.RevokedAhead).Unix(), Until: issue.LastExpiry(now.Add(issue.RevokedAhead)).Unix(),
			}); err != nil {
				return fmt.Errorf("the client gets no more tokens, but those it has could not be revoked: %w", err)
			}
			return recordChange(cmd.Context(), k.data, audit.Record{Action: "client.disable", Outcome: "success", Client: name})
		},
	}
	k.flags(cmd)
	cmd.Flags().BoolVar(&undo, "undo", false, "let the client in again")
	return cmd
}

// heardOf refuses a name that neither the database nor the policy files know: it
// is mistyped. Clients with keys and public ones have no secret there. Policy
// files that cannot be read must not stand in the way of shutting somebody out.
func (k kept) heardOf(ctx context.Context, db *store.Store, name string) error {
	found, err := db.Credentials(ctx, name)
	if err != nil || found.Digests[0] != "" {
		return err
	}
	grants, err := clients.Load(os.DirFS(k.policies), os.LookupEnv)
	if err != nil {
		return nil
	}
	if _, known := grants.Client(name); !known {
		return fmt.Errorf("client %q has no secret in %q and does not stand in %q: is the name right?", name, k.data, k.policies)
	}
	return nil
}
