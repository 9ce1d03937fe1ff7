package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"portcullis/authserver/internal/keyring"
)

// keys is the commands about signing keys.
func keys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "The keys that sign tokens",
		Long: `The keys that sign tokens. A key is next (published, so that verifiers know it),
then current (it signs), then previous (published until its last token has
expired), then gone. The service moves them by itself; a command is in force in
the running service within a second, and needs neither the seal nor the signer.`,
	}
	cmd.AddCommand(keysList(), keysRotate(), keysRevoke())
	return cmd
}

// keyTerms are the flags that say how long a signing key is what. All commands
// about one database must be given the same.
func keyTerms(f *pflag.FlagSet) *keyring.Terms {
	t := &keyring.Terms{}
	f.DurationVar(&t.Period, "key-period", keyring.DefaultPeriod, "how long a signing key signs")
	f.DurationVar(&t.Publish, "key-publish", keyring.DefaultPublish, "how long a signing key is published before it signs: longer than any verifier keeps the key set")
	f.DurationVar(&t.Keep, "key-keep", keyring.DefaultKeep, "how long a signing key is published after it signed: longer than any token lives")
	return t
}

// tell records what a command changed, and shows it.
func tell(cmd *cobra.Command, data string, done []keyring.Change) error {
	says := map[keyring.Kind]string{
		keyring.Promoted: "signs from now on",
		keyring.Retired:  "signs no more, and is published until its last token has expired",
		keyring.Revoked:  "is revoked: no longer published, and its tokens are refused",
	}
	for _, c := range done {
		fmt.Fprintf(cmd.OutOrStdout(), "key %s (%s) %s\n", c.ID, c.Algorithm, says[c.Kind])
		if err := recordChange(cmd.Context(), data, keyRecord(c)); err != nil {
			return err
		}
	}
	return nil
}
