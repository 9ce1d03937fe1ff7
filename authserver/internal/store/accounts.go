package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Person is one person's account.
type Person struct {
	// ID is what tokens call them: u- and random letters, never reused.
	ID string
	// Email is normalised, and what they sign in with.
	Email string
	// Password is an argon2id hash with its parameters.
	Password string
	Created  time.Time
	// Verified is when they showed that the address is theirs; zero before.
	Verified        time.Time
	PasswordChanged time.Time
}

const personColumns = "a.id, a.email, a.password, a.created, coalesce(a.verified, 0), a.password_changed"

// scanPerson reads personColumns and then more.
func scanPerson(row *sql.Row, more ...any) (Person, error) {
	var p Person
	var created, verified, changed int64
	err := row.Scan(append([]any{&p.ID, &p.Email, &p.Password, &created, &verified, &changed}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, ErrNone
	}
	if err != nil {
		return Person{}, fmt.Errorf("read an account: %w", err)
	}
	p.Created, p.PasswordChanged = time.UnixMilli(created), time.UnixMilli(changed)
	if verified != 0 {
		p.Verified = time.UnixMilli(verified)
	}
	return p, nil
}

// PersonByEmail finds who signs in with this normalised address, or ErrNone.
func (s *Store) PersonByEmail(ctx context.Context, email string) (Person, error) {
	return scanPerson(s.read.QueryRowContext(ctx, "SELECT "+personColumns+" FROM accounts a WHERE a.email = ?", email))
}

// Person finds an account by its id, or ErrNone.
func (s *Store) Person(ctx context.Context, id string) (Person, error) {
	return scanPerson(s.read.QueryRowContext(ctx, "SELECT "+personColumns+" FROM accounts a WHERE a.id = ?", id))
}

// SignUp stores a new account and puts m into the outbox, in one transaction.
// An account that exists and is not verified takes the new password, so that
// who comes second is not kept out by who came first; a verified one stays as
// it is. The caller cannot tell which of the three it was, nor by the time it
// took: the same statements ran.
func (s *Store) SignUp(ctx context.Context, p Person, m Mail) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, email, password, created, password_changed) VALUES (?1, ?2, ?3, ?4, ?4)
			ON CONFLICT (email) DO UPDATE SET password = excluded.password, created = excluded.created,
			password_changed = excluded.password_changed WHERE verified IS NULL`,
			p.ID, p.Email, p.Password, p.Created.UnixMilli())
		if err != nil {
			return fmt.Errorf("store an account: %w", err)
		}
		return addMail(ctx, tx, m)
	})
}

// Rehash replaces the hash of an unchanged password by one with other
// parameters. If the password was changed meanwhile nothing happens.
func (s *Store) Rehash(ctx context.Context, id, from, to string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE accounts SET password = ? WHERE id = ? AND password = ?", to, id, from)
		return err
	})
}

// ChangePassword replaces the password whose hash is from and ends every
// session of the account but the one named keep, in one transaction. Links for
// a reset that were mailed before are void too. ErrNone: the password is not
// from any more.
func (s *Store) ChangePassword(ctx context.Context, id, from, to string, keep [32]byte, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := changed(ctx, tx, "UPDATE accounts SET password = ?, password_changed = ? WHERE id = ? AND password = ?",
			to, now.UnixMilli(), id, from); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM mail_tokens WHERE account = ?", id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE account = ? AND hash <> ?", id, keep[:])
		return err
	})
}

// Verify uses a link of purpose verify up and marks its account as verified,
// exactly once. The password must still be the one with this hash: a link must
// not confirm a password that somebody else has set since. ErrNone: the link is
// used, void, too old or unknown, or the password is another.
func (s *Store) Verify(ctx context.Context, token [32]byte, password string, now time.Time) (Person, error) {
	var p Person
	err := s.change(ctx, func(tx *sql.Tx) error {
		id, err := useMailToken(ctx, tx, token, PurposeVerify, now)
		if err != nil {
			return err
		}
		if err := changed(ctx, tx, "UPDATE accounts SET verified = coalesce(verified, ?) WHERE id = ? AND password = ?",
			now.UnixMilli(), id, password); err != nil {
			return err
		}
		p, err = personIn(ctx, tx, id)
		return err
	})
	return p, err
}

// Reset uses a link of purpose reset up, sets the password and ends all
// sessions of the account, in one transaction and exactly once. Who could read
// the link has shown that the address is theirs, so the account is verified.
// ErrNone: the link is used, void, too old or unknown.
func (s *Store) Reset(ctx context.Context, token [32]byte, password string, now time.Time) (Person, error) {
	var p Person
	err := s.change(ctx, func(tx *sql.Tx) error {
		id, err := useMailToken(ctx, tx, token, PurposeReset, now)
		if err != nil {
			return err
		}
		if err := changed(ctx, tx, "UPDATE accounts SET password = ?1, password_changed = ?2, verified = coalesce(verified, ?2) WHERE id = ?3",
			password, now.UnixMilli(), id); err != nil {
			return err
		}
		for _, table := range []string{"sessions", "mail_tokens"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE account = ?", id); err != nil {
				return err
			}
		}
		p, err = personIn(ctx, tx, id)
		return err
	})
	return p, err
}

func personIn(ctx context.Context, tx *sql.Tx, id string) (Person, error) {
	return scanPerson(tx.QueryRowContext(ctx, "SELECT "+personColumns+" FROM accounts a WHERE a.id = ?", id))
}

// changed runs a statement that must change exactly one row; otherwise the
// error is ErrNone.
func changed(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n != 1 {
		return ErrNone
	}
	return nil
}
