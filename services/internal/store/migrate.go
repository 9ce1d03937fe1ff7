package store

import (
	"context"
	"database/sql"
	"fmt"
)

// migrate applies what is missing, each migration and its version number in one
// transaction, so that a process killed in between starts again where it was.
func (s *Store) migrate(ctx context.Context, migrations []string) error {
	for {
		done := false
		err := s.Write(ctx, func(tx *sql.Tx) error {
			// Read under the write lock: another process may be migrating too.
			var version int
			if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
				return fmt.Errorf("read the schema version: %w", err)
			}
			if version > len(migrations) {
				return fmt.Errorf("its schema has version %d and this program knows up to %d: start a newer program", version, len(migrations))
			}
			if done = version == len(migrations); done {
				return nil
			}
			if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
				return fmt.Errorf("migrate the schema to version %d: %w", version+1, err)
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil || done {
			return err
		}
	}
}
