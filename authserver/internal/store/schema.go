package store

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations bring the schema from version i to i+1. One that has been
// released never changes.
func migrations() []string {
	return []string{clientsSchema, keysSchema, oauthSchema, peopleSchema}
}

const clientsSchema = `
CREATE TABLE signing_keys (
	id        TEXT PRIMARY KEY,
	algorithm TEXT NOT NULL,
	state     TEXT NOT NULL CHECK (state IN ('next', 'current', 'previous')),
	private   BLOB NOT NULL,
	created   INTEGER NOT NULL -- Unix milliseconds, as all times here
) STRICT;
CREATE TABLE client_secrets (
	id      INTEGER PRIMARY KEY AUTOINCREMENT, -- grows: the newest has the highest
	client  TEXT NOT NULL,
	digest  TEXT NOT NULL UNIQUE,
	created INTEGER NOT NULL
) STRICT;
CREATE INDEX client_secrets_by_client ON client_secrets (client, id);
CREATE TABLE disabled_clients (
	client   TEXT PRIMARY KEY,
	disabled INTEGER NOT NULL
) STRICT;
`

// migrate applies what is missing, each migration and its version number in one
// transaction, so that a process killed in between starts again where it was.
func (s *Store) migrate(ctx context.Context) error {
	all := migrations()
	for done := false; !done; {
		err := s.change(ctx, func(tx *sql.Tx) error {
			// Read under the write lock: another process may be migrating too.
			var version int
			if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
				return fmt.Errorf("read the schema version: %w", err)
			}
			if version > len(all) {
				return fmt.Errorf("its schema has version %d and this program knows up to %d: start a newer program", version, len(all))
			}
			if done = version == len(all); done {
				return nil
			}
			if _, err := tx.ExecContext(ctx, all[version]); err != nil {
				return fmt.Errorf("migrate the schema to version %d: %w", version+1, err)
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
