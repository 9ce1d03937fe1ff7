package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// mailsPerHour is how many mails one address is sent in an hour, whoever asks
// for them: nobody fills another's inbox through us. Those for a reset are
// counted apart: a stranger who signs up with the address again and again must
// not keep its owner from a new password. The last link of a kind goes on
// working, and one for a reset does for as long as the count lasts.
const mailsPerHour = 5

// Mail is one mail to be sent. It names an address and no account, because
// whether there is one must not be told, not even by the time an answer takes.
type Mail struct {
	ID       int64
	Address  string
	Purpose  Purpose
	Created  time.Time
	Expires  time.Time
	Attempts int
}

// AddMail puts a mail into the outbox. It is dropped without a word if one of
// the same purpose waits there for its first try, or there were mailsPerHour of
// its kind.
func (s *Store) AddMail(ctx context.Context, m Mail) error {
	return s.change(ctx, func(tx *sql.Tx) error { return addMail(ctx, tx, m) })
}

func addMail(ctx context.Context, tx *sql.Tx, m Mail) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO mail_outbox (address, purpose, created, next_try, expires)
		SELECT ?1, ?2, ?3, ?3, ?4
		WHERE (SELECT count(*) FROM mail_outbox WHERE address = ?1 AND created > ?5 AND (purpose = 'reset') = (?2 = 'reset')) < ?6
		AND NOT EXISTS (SELECT 1 FROM mail_outbox WHERE address = ?1 AND created > ?5 AND purpose = ?2 AND attempts = 0)`,
		m.Address, string(m.Purpose), m.Created.UnixMilli(), m.Expires.UnixMilli(), m.Created.Add(-time.Hour).UnixMilli(), mailsPerHour)
	if err != nil {
		return fmt.Errorf("put a mail into the outbox: %w", err)
	}
	return nil
}

// TakeMail takes the mail that is due the longest and sets its next try to
// now+wait(attempts), so that a process killed while it sends leaves the mail
// to be sent again. ErrNone: none is due.
func (s *Store) TakeMail(ctx context.Context, now time.Time, wait func(attempts int) time.Duration) (Mail, error) {
	var m Mail
	// Most looks find nothing: they should not take the write lock.
	var due bool
	if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM mail_outbox WHERE next_try <= ?)", now.UnixMilli()).Scan(&due); err != nil {
		return Mail{}, fmt.Errorf("look into the outbox: %w", err)
	}
	if !due {
		return Mail{}, ErrNone
	}
	err := s.change(ctx, func(tx *sql.Tx) error {
		var purpose string
		var created, expires int64
		row := tx.QueryRowContext(ctx, `SELECT id, address, purpose, created, expires, attempts FROM mail_outbox
			WHERE next_try <= ? ORDER BY next_try, id LIMIT 1`, now.UnixMilli())
		if err := row.Scan(&m.ID, &m.Address, &purpose, &created, &expires, &m.Attempts); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return ErrNone // another process was faster
			}
			return fmt.Errorf("take a mail: %w", err)
		}
		m.Purpose, m.Created, m.Expires = Purpose(purpose), time.UnixMilli(created), time.UnixMilli(expires)
		m.Attempts++
		_, err := tx.ExecContext(ctx, "UPDATE mail_outbox SET attempts = ?, next_try = ? WHERE id = ?",
			m.Attempts, now.Add(wait(m.Attempts)).UnixMilli(), m.ID)
		return err
	})
	return m, err
}

// MailDone says that a mail needs no further try. Its row stays until it
// expires, because mails of an hour are counted.
func (s *Store) MailDone(ctx context.Context, id int64) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE mail_outbox SET next_try = NULL WHERE id = ?", id)
		return err
	})
}
