package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of the database as it is at one moment into the folder
// dir, while others go on writing. The copy has an epoch of its own: once it is
// restored, numbers of revocations are given again, and a verifier that knew the
// old ones must not take the new ones for them.
func (s *Store) Backup(ctx context.Context, dir string) (err error) {
	path := filepath.Join(dir, File)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	// SQLite fills an empty file, and would make one that others may read.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path)) // half a copy must not be taken for one
		}
	}()
	if err := run(ctx, s.path, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	if err := run(ctx, path, "UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'epoch'"); err != nil {
		return fmt.Errorf("give the copy its own epoch: %w", err)
	}
	return nil
}

// run runs one statement on a connection of its own, so that nobody waits for
// it.
func run(ctx context.Context, path, statement string, args ...any) error {
	db, err := open(path, 1, "_txlock=immediate")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement, args...)
	return errors.Join(err, db.Close())
}
