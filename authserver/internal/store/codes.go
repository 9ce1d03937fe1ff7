package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Code is an authorization code (RFC 6749 4.1) without its value.
type Code struct {
	Redirect string // the redirect URI it was sent to
	// Challenge is the code_challenge (RFC 7636), method S256.
	Challenge string
	Expires   time.Time
	Grant     Grant
}

// AddCode stores a code under the hash of its value, and its grant, or neither.
// Of what one person has at one client, only so much is kept: the oldest goes.
func (s *Store) AddCode(ctx context.Context, hash [32]byte, c Code) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := addGrant(ctx, tx, c.Grant); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO codes (hash, grant_id, redirect, challenge, expires) VALUES (?, ?, ?, ?, ?)",
			hash[:], c.Grant.ID, c.Redirect, c.Challenge, c.Expires.UnixMilli())
		if err != nil {
			return fmt.Errorf("store a code of the grant %q: %w", c.Grant.ID, err)
		}
		return crowd(ctx, tx, c.Grant)
	})
}

// RedeemCode uses a code up and returns its grant: of any number of calls at
// once, in any number of processes, exactly one gets it. refresh, unless nil,
// is stored in the same step as the grant's first refresh token.
//
// check sees the code while nobody else can use it; its error is returned and
// leaves the code as it was. A code that was used before ends its grant, as
// EndGrant does, and gives ErrReplayed, whoever presents it and however late
// (RFC 6749 4.1.2): two have known it. ErrNone is for a code that is not known
// or whose grant has ended, ErrExpired for one that is too late.
func (s *Store) RedeemCode(ctx context.Context, hash [32]byte, now time.Time, check func(Code) error, refresh *Refresh) (Grant, error) {
	var code Code
	var replayed bool
	err := s.change(ctx, func(tx *sql.Tx) error {
		var g keptGrant
		var err error
		if code, g, replayed, err = readCode(tx.QueryRowContext(ctx, codeSQL, hash[:])); err != nil {
			return err
		}
		if replayed { // not an error yet: what it leads to is to be committed
			_, err := endGrant(ctx, tx, code.Grant.ID, now, now.Add(longestToken))
			return err
		}
		if err := g.live(now, code.Expires); err != nil {
			return err
		}
		if err := check(code); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE codes SET used = ? WHERE hash = ?", now.UnixMilli(), hash[:]); err != nil {
			return fmt.Errorf("use a code up: %w", err)
		}
		if refresh == nil {
			return nil
		}
		return addRefresh(ctx, tx, code.Grant.ID, *refresh)
	})
	return once(code.Grant, replayed, err)
}

// Code returns a code that could be redeemed and changes nothing. The errors are
// those of RedeemCode, but ErrReplayed here only says that the code was used.
func (s *Store) Code(ctx context.Context, hash [32]byte, now time.Time) (Code, error) {
	code, g, used, err := readCode(s.read.QueryRowContext(ctx, codeSQL, hash[:]))
	switch {
	case err != nil:
		return Code{}, err
	case used:
		return Code{}, ErrReplayed
	}
	return code, g.live(now, code.Expires)
}

const codeSQL = `SELECT c.used IS NOT NULL, c.redirect, c.challenge, c.expires, ` + grantColumns + `
	FROM codes c JOIN grants g ON g.id = c.grant_id WHERE c.hash = ?`

func readCode(row *sql.Row) (code Code, g keptGrant, used bool, err error) {
	var expires int64
	if err := row.Scan(append([]any{&used, &code.Redirect, &code.Challenge, &expires}, g.fields()...)...); err != nil {
		return Code{}, g, false, found(err, "look up a code")
	}
	code.Expires, code.Grant = time.UnixMilli(expires), g.grant()
	return code, g, used, nil
}

// live says what is wrong with something of this grant that expires.
func (g *keptGrant) live(now, expires time.Time) error {
	switch {
	case g.ended:
		return ErrNone
	case !now.Before(expires) || !now.Before(g.Expires):
		return ErrExpired
	}
	return nil
}

// found tells a row that is not there from a fault.
func found(err error, doing string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNone
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// once is what someone gets for something that can be used once.
func once(g Grant, replayed bool, err error) (Grant, error) {
	switch {
	case err != nil:
		return Grant{}, err
	case replayed:
		return Grant{}, ErrReplayed
	}
	return g, nil
}
