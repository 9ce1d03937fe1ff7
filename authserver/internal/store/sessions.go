package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// maxSessions is how many sessions one account has at once: more browsers than
// a person has. The oldest ends for the newest.
const maxSessions = 20

// Session is one browser in which a person has signed in.
type Session struct {
	// Hash is the SHA-256 of what the browser holds.
	Hash    [32]byte
	Account string
	Created time.Time
	// Seen is when it was last used, to the minute.
	Seen time.Time
	// Expires is when it ends at the latest.
	Expires time.Time
	// AuthTime is when the password was last typed.
	AuthTime time.Time
}

// AddSession stores a session and ends the one named old, which the same
// browser had before, in one transaction. ErrNone: the account's password is
// not the one with this hash any more.
func (s *Store) AddSession(ctx context.Context, n Session, password string, old [32]byte) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		// A reset may have come between the check of the password and this: its
		// promise is that no session outlives it.
		if err := changed(ctx, tx, `INSERT INTO sessions (hash, account, created, seen, expires, auth_time)
			SELECT ?, id, ?, ?, ?, ? FROM accounts WHERE id = ? AND password = ?`,
			n.Hash[:], n.Created.UnixMilli(), n.Seen.UnixMilli(), n.Expires.UnixMilli(), n.AuthTime.UnixMilli(), n.Account, password); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = ?", old[:]); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash IN
			(SELECT hash FROM sessions WHERE account = ? ORDER BY created DESC, hash LIMIT -1 OFFSET ?)`, n.Account, maxSessions)
		return err
	})
}

// Session finds a session that was used within the last idle and has not
// expired, and whose it is. Otherwise the error is ErrNone.
func (s *Store) Session(ctx context.Context, hash [32]byte, now time.Time, idle time.Duration) (Session, Person, error) {
	n := Session{Hash: hash}
	var created, seen, expires, auth int64
	p, err := scanPerson(s.read.QueryRowContext(ctx, "SELECT "+personColumns+`, s.created, s.seen, s.expires, s.auth_time
		FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.hash = ? AND s.expires > ? AND s.seen > ?`,
		hash[:], now.UnixMilli(), now.Add(-idle).UnixMilli()), &created, &seen, &expires, &auth)
	if err != nil {
		return Session{}, Person{}, err
	}
	n.Account, n.Created, n.Seen = p.ID, time.UnixMilli(created), time.UnixMilli(seen)
	n.Expires, n.AuthTime = time.UnixMilli(expires), time.UnixMilli(auth)
	return n, p, nil
}

// Sessions lists the live sessions of an account, the one used last first.
func (s *Store) Sessions(ctx context.Context, account string, now time.Time, idle time.Duration) ([]Session, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT hash, created, seen, expires, auth_time FROM sessions
		WHERE account = ? AND expires > ? AND seen > ? ORDER BY seen DESC, created DESC`,
		account, now.UnixMilli(), now.Add(-idle).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	var list []Session
	for rows.Next() {
		n := Session{Account: account}
		var hash []byte
		var created, seen, expires, auth int64
		if err := rows.Scan(&hash, &created, &seen, &expires, &auth); err != nil {
			return nil, fmt.Errorf("read a session: %w", err)
		}
		copy(n.Hash[:], hash)
		n.Created, n.Seen = time.UnixMilli(created), time.UnixMilli(seen)
		n.Expires, n.AuthTime = time.UnixMilli(expires), time.UnixMilli(auth)
		list = append(list, n)
	}
	return list, rows.Err()
}

// TouchSession notes that a session is in use.
func (s *Store) TouchSession(ctx context.Context, hash [32]byte, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE sessions SET seen = max(seen, ?) WHERE hash = ?", now.UnixMilli(), hash[:])
		return err
	})
}

// EndSession ends one session; it may have ended before.
func (s *Store) EndSession(ctx context.Context, hash [32]byte) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = ?", hash[:])
		return err
	})
}

// EndSessions ends all sessions of an account.
func (s *Store) EndSessions(ctx context.Context, account string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE account = ?", account)
		return err
	})
}
