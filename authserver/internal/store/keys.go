package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"portcullis/authserver/internal/keyring"
)

var _ keyring.Storage = (*Store)(nil)

const (
	keysSQL = `SELECT id, algorithm, state, public, sealed, clear,
	created, published, activated, retired, removed, revoked, destroyed FROM signing_keys ORDER BY created, id`
	putKeySQL = `INSERT INTO signing_keys (id, algorithm, state, public, sealed, clear,
	created, published, activated, retired, removed, revoked, destroyed)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (id) DO UPDATE SET state = ?3, public = ?4, sealed = ?5, clear = ?6, published = ?8,
	activated = ?9, retired = ?10, removed = ?11, revoked = ?12, destroyed = ?13`
)

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Keys returns all signing keys, also those that are gone, oldest first.
func (s *Store) Keys(ctx context.Context) ([]keyring.StoredKey, error) {
	return readKeys(ctx, s.read)
}

func readKeys(ctx context.Context, from querier) ([]keyring.StoredKey, error) {
	rows, err := from.QueryContext(ctx, keysSQL)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	defer rows.Close()
	var keys []keyring.StoredKey
	for rows.Next() {
		var k keyring.StoredKey
		into := []any{&k.ID, &k.Algorithm, &k.State, &k.Public, &k.Sealed, &k.Clear}
		var ms [7]int64
		for i := range ms {
			into = append(into, &ms[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read a signing key: %w", err)
		}
		for i, t := range keyTimes(&k) {
			if ms[i] != 0 {
				*t = time.UnixMilli(ms[i])
			}
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// keyTimes are the times of a key in the order of the columns.
func keyTimes(k *keyring.StoredKey) [7]*time.Time {
	return [7]*time.Time{&k.Created, &k.Published, &k.Activated, &k.Retired, &k.Removed, &k.Revoked, &k.Destroyed}
}

// ChangeKeys implements keyring.Storage. When a private half was erased, so are
// its traces: secure_delete overwrites it in the database, and the log that it
// was once written to is emptied.
func (s *Store) ChangeKeys(ctx context.Context, change func([]keyring.StoredKey) ([]keyring.StoredKey, error)) error {
	var erased bool
	err := s.change(ctx, func(tx *sql.Tx) error {
		keys, err := readKeys(ctx, tx)
		if err != nil {
			return err
		}
		// change gets a copy, of which it may alter everything but the bytes.
		wanted, err := change(slices.Clone(keys))
		if err != nil {
			return err
		}
		for _, k := range wanted {
			i := slices.IndexFunc(keys, func(old keyring.StoredKey) bool { return old.ID == k.ID })
			if i >= 0 && sameKey(&keys[i], &k) {
				continue
			}
			if i >= 0 && (len(keys[i].Sealed) > len(k.Sealed) || len(keys[i].Clear) > len(k.Clear)) {
				erased = true
			}
			if err := putKey(ctx, tx, &k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !erased {
		return err
	}
	// A reader that is in the way leaves some of it to the next time.
	if _, err := s.write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("the keys are changed, but erase what the log holds of a private one: %w", err)
	}
	return nil
}

func putKey(ctx context.Context, tx *sql.Tx, k *keyring.StoredKey) error {
	args := []any{k.ID, k.Algorithm, string(k.State), blob(k.Public), blob(k.Sealed), blob(k.Clear)}
	for _, t := range keyTimes(k) {
		var ms int64
		if !t.IsZero() {
			ms = t.UnixMilli()
		}
		args = append(args, ms)
	}
	if _, err := tx.ExecContext(ctx, putKeySQL, args...); err != nil {
		return fmt.Errorf("store the signing key %q: %w", k.ID, err)
	}
	return nil
}

// blob keeps an empty value from being NULL.
func blob(b []byte) []byte { return append([]byte{}, b...) }

func sameKey(a, b *keyring.StoredKey) bool {
	if a.State != b.State || !bytes.Equal(a.Public, b.Public) || !bytes.Equal(a.Sealed, b.Sealed) || !bytes.Equal(a.Clear, b.Clear) {
		return false
	}
	other := keyTimes(b)
	for i, t := range keyTimes(a) {
		if !t.Equal(*other[i]) {
			return false
		}
	}
	return true
}
