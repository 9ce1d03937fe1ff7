package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/store"
)

func keysRotate() *cobra.Command {
	var data string
	var now bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Let the next key sign",
		Long: `Lets the next key sign, ahead of its time. The one that signed stays published
until its last token has expired, so that no valid token is refused. A next key
that was published a moment ago is not known to every verifier yet: the command
says how long to wait. If a key was stolen, use revoke.`,
		Args: cobra.NoArgs,
	}
	terms := keyTerms(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		db, err := store.Open(cmd.Context(), data)
		if err != nil {
			return err
		}
		defer db.Close()
		done, err := keyring.Rotate(cmd.Context(), db, time.Now(), *terms, now)
		if soon, ok := errors.AsType[*keyring.TooSoonError](err); ok {
			return fmt.Errorf("%w: wait, or use --now, and verifiers that keep key sets that long refuse new tokens until then", soon)
		}
		if err != nil {
			return err
		}
		return tell(cmd, data, done)
	}
	dataFlag(cmd.Flags(), &data)
	cmd.Flags().BoolVar(&now, "now", false, "do not wait until every verifier knows the key: some may refuse new tokens for minutes")
	return cmd
}
