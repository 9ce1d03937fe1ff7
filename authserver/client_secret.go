package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

func clientSecret() *cobra.Command {
	var data, policies, out, check string
	cmd := &cobra.Command{
		Use:   "secret NAME",
		Short: "Make a client's secret, or check one",
		Long: `Makes a new secret for a client of the policy files and shows it once; only a
digest is kept. The client's two newest secrets are good, so that a new one can
be put in place before the old one goes. The service need not be restarted.

With --check FILE nothing is made: the command succeeds when the secret in FILE
is one of the client's.`,
		Args: oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if err := clients.CheckName(name); err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), data)
			if err != nil {
				return err
			}
			defer db.Close()
			if check != "" {
				return checkSecret(cmd.Context(), db, name, check)
			}
			// A secret for a name with a typing error would open nothing.
			if _, err := (kept{policies: policies}).client(name); err != nil {
				return err
			}
			if err := makeSecret(cmd.Context(), db, name, out, cmd.OutOrStdout()); err != nil {
				return err
			}
			return recordChange(cmd.Context(), data, audit.Record{Action: "client.secret", Outcome: "success", Client: name})
		},
	}
	f := cmd.Flags()
	dataFlag(f, &data)
	policiesFlag(f, &policies)
	f.StringVar(&out, "out", "", "write the secret to this file, readable by its owner only, instead of showing it")
	f.StringVar(&check, "check", "", "check the secret in this file instead of making one")
	cmd.MarkFlagsMutuallyExclusive("out", "check")
	return cmd
}

func makeSecret(ctx context.Context, db *store.Store, name, out string, stdout io.Writer) error {
	secret := clients.NewSecret(name)
	place := func() error { _, err := fmt.Fprintln(stdout, secret); return err }
	if out != "" {
		// Written before it is good: a secret that is good but written nowhere
		// would have pushed out one that is in use.
		file, err := draft(out, secret+"\n")
		if err != nil {
			return fmt.Errorf("write the secret of client %q: %w", name, err)
		}
		defer os.Remove(file) // fails once it has its name
		place = func() error { return os.Rename(file, out) }
	}
	if err := db.AddSecret(ctx, name, clients.Digest(secret), time.Now()); err != nil {
		return err
	}
	if err := place(); err != nil {
		return fmt.Errorf("hand over the secret of client %q (make another one): %w", name, err)
	}
	return nil
}

// draft writes text to a new file beside path that only its owner can read.
func draft(path, text string) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // made with mode 0600
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func checkSecret(ctx context.Context, db *store.Store, name, file string) error {
	secret, err := token.ReadSecret(file)
	if err != nil {
		return err
	}
	kept, err := db.Credentials(ctx, name)
	if err != nil {
		return err
	}
	if kept.Disabled {
		return fmt.Errorf("client %q is disabled", name)
	}
	if !clients.Live(kept, secret) {
		return fmt.Errorf("the secret in %q is not a live secret of client %q", file, name)
	}
	return nil
}
