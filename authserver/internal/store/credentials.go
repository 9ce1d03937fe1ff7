package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// LiveSecrets is how many secrets of a client are good at once: the one in use
// and the one that replaces it.
const LiveSecrets = 2

// Credentials are what the database knows of a client.
type Credentials struct {
	// Digests of its live secrets, newest first; empty strings where there are
	// fewer.
	Digests  [LiveSecrets]string
	Disabled bool
}

// lookUpSQL gives one row whether or not the client exists, so that looking up
// one that does not takes the same steps as looking up one that does.
const lookUpSQL = `SELECT
	coalesce((SELECT digest FROM client_secrets WHERE client = ?1 ORDER BY id DESC LIMIT 1), ''),
	coalesce((SELECT digest FROM client_secrets WHERE client = ?1 ORDER BY id DESC LIMIT 1 OFFSET 1), ''),
	EXISTS (SELECT 1 FROM disabled_clients WHERE client = ?1)`

// Credentials looks a client up; one that is not known has no digests.
func (s *Store) Credentials(ctx context.Context, client string) (Credentials, error) {
	var c Credentials
	// A context that may end would cost a goroutine for each look, a third of it
	// all; what it could end here are microseconds.
	err := s.lookUp.QueryRowContext(context.WithoutCancel(ctx), client).Scan(&c.Digests[0], &c.Digests[1], &c.Disabled)
	if err != nil {
		return Credentials{}, fmt.Errorf("look up a client: %w", err)
	}
	return c, nil
}

// AddSecret stores the digest of a client's new secret and drops the oldest
// beyond LiveSecrets.
func (s *Store) AddSecret(ctx context.Context, client, digest string, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO client_secrets (client, digest, created) VALUES (?, ?, ?)",
			client, digest, now.UnixMilli()); err != nil {
			return fmt.Errorf("store a secret of client %q: %w", client, err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM client_secrets WHERE client = ?1 AND id NOT IN
			(SELECT id FROM client_secrets WHERE client = ?1 ORDER BY id DESC LIMIT ?2)`, client, LiveSecrets); err != nil {
			return fmt.Errorf("drop the oldest secret of client %q: %w", client, err)
		}
		return nil
	})
}

// Disable makes a client get no more tokens, from the next request on; Enable
// undoes it. Both may be repeated.
func (s *Store) Disable(ctx context.Context, client string, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO disabled_clients (client, disabled) VALUES (?, ?) ON CONFLICT DO NOTHING",
			client, now.UnixMilli())
		return err
	})
}

// Enable lets a disabled client in again.
func (s *Store) Enable(ctx context.Context, client string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM disabled_clients WHERE client = ?", client)
		return err
	})
}
