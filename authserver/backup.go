package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/store"
)

func backup() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the database and the audit log while the service runs",
		Long: `Copies the database, as it is at one moment, and the audit log into a new folder,
which serve --data can be started on. The seal (--seal) is not in it: keep it
elsewhere, for the copy is worth nothing without it, to you and to a thief.

A restored copy has forgotten what came after it, revocations and used refresh
tokens too. Revoke what was issued: authserver token revoke --issued-before now.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("backup takes the folder to make, as in: authserver backup backup-2027-01-10")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := store.Open(cmd.Context(), data)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := db.Backup(cmd.Context(), args[0]); err != nil {
				return err
			}
			// The log after the database: it then tells of all that the copy knows.
			if err := copyFolder(auditDir(data), auditDir(args[0])); err != nil {
				return fmt.Errorf("copy the audit log: %w", err)
			}
			r, err := audit.Verify(auditDir(args[0]), nil)
			if err != nil {
				return fmt.Errorf("the copy of the audit log: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "ok: %s, and the audit log up to record %d\n", filepath.Join(args[0], store.File), r.Head.Seq)
			return err
		},
	}
	dataFlag(cmd.Flags(), &data)
	return cmd
}

// copyFolder copies the files of a folder into a new one that its owner alone
// can read.
func copyFolder(from, to string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		if err := copyFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
