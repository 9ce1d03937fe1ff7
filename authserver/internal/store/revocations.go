package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"portcullis/authserver/token"
)

// Revoke adds an entry and returns it with its sequence number, which is above
// that of every entry before it, also of those purged. An entry with the same
// kind, value and before that is kept at least as long is returned as it is and
// nothing is added.
func (s *Store) Revoke(ctx context.Context, r token.Revocation) (token.Revocation, error) {
	var added token.Revocation
	err := s.change(ctx, func(tx *sql.Tx) (err error) {
		added, err = revoke(ctx, tx, r)
		return err
	})
	if err != nil {
		return token.Revocation{}, err
	}
	return added, nil
}

func revoke(ctx context.Context, tx *sql.Tx, r token.Revocation) (token.Revocation, error) {
	// An entry that verifiers cannot obey, such as a name with a blank behind it,
	// would end all their trust for as long as it is kept.
	if err := r.Check(); err != nil {
		return r, fmt.Errorf("revoke the %s %.64q: %w", r.Kind, r.Value, err)
	}
	err := tx.QueryRowContext(ctx, `SELECT seq, keep_until FROM revocations
		WHERE kind = ? AND value = ? AND issued_before = ? AND keep_until >= ? LIMIT 1`,
		r.Kind, r.Value, r.Before, r.Until).Scan(&r.Seq, &r.Until)
	if err == nil {
		return r, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("look for a revocation of the %s %q: %w", r.Kind, r.Value, err)
	}
	err = tx.QueryRowContext(ctx, "INSERT INTO revocations (kind, value, issued_before, keep_until) VALUES (?, ?, ?, ?) RETURNING seq",
		r.Kind, r.Value, r.Before, r.Until).Scan(&r.Seq)
	if err != nil {
		return r, fmt.Errorf("revoke the %s %q: %w", r.Kind, r.Value, err)
	}
	return r, nil
}

// Revocations returns the entries that were added after the one with sequence
// number after and are not purged, in the order they were added; the number of
// the newest entry there ever was, 0 when there was none; and the epoch, a
// random name of this database: numbers of another epoch mean nothing here. All
// are of one moment, and an entry never appears behind a newer one.
func (s *Store) Revocations(ctx context.Context, after int64) (epoch string, head int64, entries []token.Revocation, err error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return "", 0, nil, fmt.Errorf("read the revocations: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	err = tx.QueryRowContext(ctx, `SELECT (SELECT value FROM meta WHERE name = 'epoch'),
		coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'revocations'), 0)`).Scan(&epoch, &head)
	if err != nil {
		return "", 0, nil, fmt.Errorf("read the epoch of the revocations: %w", err)
	}
	rows, err := tx.QueryContext(ctx, "SELECT seq, kind, value, issued_before, keep_until FROM revocations WHERE seq > ? ORDER BY seq", after)
	if err != nil {
		return "", 0, nil, fmt.Errorf("read the revocations: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r token.Revocation
		if err := rows.Scan(&r.Seq, &r.Kind, &r.Value, &r.Before, &r.Until); err != nil {
			return "", 0, nil, fmt.Errorf("read a revocation: %w", err)
		}
		entries = append(entries, r)
	}
	if err := rows.Err(); err != nil {
		return "", 0, nil, fmt.Errorf("read the revocations: %w", err)
	}
	return epoch, head, entries, nil
}
