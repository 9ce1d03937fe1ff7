package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// EraseAccount ends an account and forgets the person, in one transaction: the
// address, password, sessions, links and mails are gone, and all sign-ins end as
// by EndGrants. What stays until it expires names the subject alone, which is
// random and never given to anybody else. erased is false for an account that is
// not there; its sign-ins end all the same.
func (s *Store) EraseAccount(ctx context.Context, subject string, now, until time.Time) (erased bool, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		var email string
		erased = false
		err := tx.QueryRowContext(ctx, "DELETE FROM accounts WHERE id = ? RETURNING email", subject).Scan(&email)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("delete the account %q: %w", subject, err)
		default:
			erased = true
			if _, err := tx.ExecContext(ctx, "DELETE FROM mail_outbox WHERE address = ?", email); err != nil {
				return fmt.Errorf("forget the mails of %q: %w", subject, err)
			}
		}
		for _, table := range []string{"sessions", "mail_tokens"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE account = ?", subject); err != nil {
				return fmt.Errorf("end the %s of %q: %w", table, subject, err)
			}
		}
		return endGrants(ctx, tx, subject, "", now, until)
	})
	if err != nil {
		return false, err
	}
	// secure_delete has overwritten the rows; this empties the log that they were
	// once written to, also when it failed after the account was deleted and the
	// caller asks again. A reader that stays in the way is told.
	var busy, frames, moved int
	err = s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody reads an older state of the database")
	}
	if err != nil {
		return erased, fmt.Errorf("the account is deleted, but erase what the log holds of it: %w", err)
	}
	return erased, nil
}
