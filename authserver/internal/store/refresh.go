package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Refresh is a refresh token (RFC 6749 6): the hash of its value. It is good
// once, until its own expiry or that of its grant.
type Refresh struct {
	Hash    [32]byte
	Expires time.Time
}

const refreshSQL = `SELECT r.used IS NOT NULL, r.expires, ` + grantColumns + `
	FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id WHERE r.hash = ?`

func addRefresh(ctx context.Context, tx *sql.Tx, grant string, r Refresh) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO refresh_tokens (hash, grant_id, expires) VALUES (?, ?, ?)",
		r.Hash[:], grant, r.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("store a refresh token of the grant %q: %w", grant, err)
	}
	return nil
}

// RotateRefresh uses a refresh token up, puts next in its place and returns the
// grant of both: of any number of calls at once, in any number of processes,
// exactly one gets it. There is no time of grace in which two would.
//
// check sees the grant while nobody else can use the token; its error is
// returned and leaves everything as it was. A token that was used before ends
// its grant and with it the whole family, as EndGrant does, and gives
// ErrReplayed, whoever presents it: either who uses it now or who used it then
// has stolen it (RFC 9700 4.14.2). ErrNone is for a token that is not known or
// whose grant has ended, ErrExpired for one that is too late.
func (s *Store) RotateRefresh(ctx context.Context, hash [32]byte, now time.Time, check func(Grant) error, next Refresh) (Grant, error) {
	var grant Grant
	var replayed bool
	err := s.change(ctx, func(tx *sql.Tx) error {
		var g keptGrant
		var expires int64
		if err := tx.QueryRowContext(ctx, refreshSQL, hash[:]).Scan(append([]any{&replayed, &expires}, g.fields()...)...); err != nil {
			return found(err, "look up a refresh token")
		}
		grant = g.grant()
		if replayed { // not an error yet: what it leads to is to be committed
			_, err := endGrant(ctx, tx, grant.ID, now, now.Add(longestToken))
			return err
		}
		if err := g.live(now, time.UnixMilli(expires)); err != nil {
			return err
		}
		if err := check(grant); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE refresh_tokens SET used = ? WHERE hash = ?", now.UnixMilli(), hash[:]); err != nil {
			return fmt.Errorf("use a refresh token up: %w", err)
		}
		return addRefresh(ctx, tx, grant.ID, next)
	})
	return once(grant, replayed, err)
}

// RefreshGrant returns the grant of a refresh token and changes nothing. The
// errors are those of RotateRefresh, but ErrReplayed here only says that the
// token was used; beside ErrReplayed and ErrExpired the grant is returned too,
// so that who revokes an old token (RFC 7009) can end its family.
func (s *Store) RefreshGrant(ctx context.Context, hash [32]byte, now time.Time) (Grant, error) {
	var g keptGrant
	var used bool
	var expires int64
	if err := s.read.QueryRowContext(ctx, refreshSQL, hash[:]).Scan(append([]any{&used, &expires}, g.fields()...)...); err != nil {
		return Grant{}, found(err, "look up a refresh token")
	}
	grant := g.grant()
	switch {
	case g.ended:
		return Grant{}, ErrNone
	case used:
		return grant, ErrReplayed
	}
	return grant, g.live(now, time.UnixMilli(expires))
}
