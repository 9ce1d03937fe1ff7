package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Purpose is what a mail, or the link in it, is for.
type Purpose string

// The purposes of mails. A link is for PurposeVerify or PurposeReset.
const (
	// PurposeSignUp is the mail that answers a sign-up: whether it asks to
	// confirm the address or says that there is an account already is decided
	// when it is sent.
	PurposeSignUp Purpose = "signup"
	// PurposeVerify asks once more to confirm the address.
	PurposeVerify Purpose = "verify"
	// PurposeReset lets the person choose another password.
	PurposeReset Purpose = "reset"
)

// AddMailToken stores the hash of a link's token. Links of the same purpose
// that the account was sent before are void from now on.
func (s *Store) AddMailToken(ctx context.Context, hash [32]byte, account string, purpose Purpose, now, expires time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM mail_tokens WHERE account = ? AND purpose = ?", account, string(purpose)); err != nil {
			return fmt.Errorf("void the links before: %w", err)
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO mail_tokens (hash, account, purpose, created, expires) VALUES (?, ?, ?, ?, ?)",
			hash[:], account, string(purpose), now.UnixMilli(), expires.UnixMilli())
		return err
	})
}

// MailTokenPerson tells whose a link is that could still be used; it stays as
// it was. Otherwise the error is ErrNone.
func (s *Store) MailTokenPerson(ctx context.Context, hash [32]byte, purpose Purpose, now time.Time) (Person, error) {
	return scanPerson(s.read.QueryRowContext(ctx, "SELECT "+personColumns+` FROM mail_tokens t JOIN accounts a ON a.id = t.account
		WHERE t.hash = ? AND t.purpose = ? AND t.used IS NULL AND t.expires > ?`, hash[:], string(purpose), now.UnixMilli()))
}

// useMailToken uses a link up and returns whose it is. Of many at once one
// wins, since writes go one after another; for the rest it is ErrNone.
func useMailToken(ctx context.Context, tx *sql.Tx, hash [32]byte, purpose Purpose, now time.Time) (account string, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE mail_tokens SET used = ?1
		WHERE hash = ?2 AND purpose = ?3 AND used IS NULL AND expires > ?1 RETURNING account`,
		now.UnixMilli(), hash[:], string(purpose)).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNone
	}
	return account, err
}
