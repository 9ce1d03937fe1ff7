package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"portcullis/authserver/internal/keyring"
)

var _ keyring.Storage = (*Store)(nil)

// Keys returns all signing keys, oldest first.
func (s *Store) Keys(ctx context.Context) ([]keyring.StoredKey, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, algorithm, state, private, created FROM signing_keys ORDER BY created, id")
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	defer rows.Close()
	var keys []keyring.StoredKey
	for rows.Next() {
		var k keyring.StoredKey
		var created int64
		if err := rows.Scan(&k.ID, &k.Algorithm, &k.State, &k.Private, &created); err != nil {
			return nil, fmt.Errorf("read a signing key: %w", err)
		}
		k.Created = time.UnixMilli(created)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// AddKey stores one more signing key; an ID that is already there is an error.
func (s *Store) AddKey(ctx context.Context, k keyring.StoredKey) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			"INSERT INTO signing_keys (id, algorithm, state, private, created) VALUES (?, ?, ?, ?, ?)",
			k.ID, k.Algorithm, string(k.State), k.Private, k.Created.UnixMilli())
		if err != nil {
			return fmt.Errorf("store the signing key %q: %w", k.ID, err)
		}
		return nil
	})
}
