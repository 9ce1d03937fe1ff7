package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"portcullis/authserver/token"
)

// What is wrong with a code, a refresh token, a grant, a session or a link.
// Callers tell strangers none of it.
var (
	// ErrNone: there is no such thing, or not any more.
	ErrNone = errors.New("there is no such thing, or not any more")
	// ErrReplayed: it was used before; what followed from it has been revoked.
	ErrReplayed = errors.New("it was used before, and what followed from it has been revoked")
	// ErrExpired: its time is over.
	ErrExpired = errors.New("its time is over")
)

// longestToken is how long after its issue an access token can be taken for
// good: an hour at most, and the clocks of verifiers.
const longestToken = time.Hour + token.Skew

// Grant is one sign-in of one person at one client: what a code, the refresh
// tokens after it and the access tokens made with them have in common. Times
// are kept to the millisecond.
type Grant struct {
	ID, Client, Subject, Audience string
	Scopes                        []string // without spaces in any
	Nonce                         string
	AuthTime, Created, Expires    time.Time
}

const grantColumns = "g.id, g.client, g.subject, g.audience, g.scopes, g.nonce, g.auth_time, g.created, g.expires, g.ended IS NOT NULL"

// keptGrant is a grant as it is read, beside whatever else a row has.
type keptGrant struct {
	Grant
	scopes                     string
	authTime, created, expires int64
	ended                      bool
}

// fields are where grantColumns are read into.
func (g *keptGrant) fields() []any {
	return []any{&g.ID, &g.Client, &g.Subject, &g.Audience, &g.scopes, &g.Nonce, &g.authTime, &g.created, &g.expires, &g.ended}
}

func (g *keptGrant) grant() Grant {
	g.Scopes = strings.Fields(g.scopes)
	g.AuthTime, g.Created, g.Expires = time.UnixMilli(g.authTime), time.UnixMilli(g.created), time.UnixMilli(g.expires)
	return g.Grant
}

func addGrant(ctx context.Context, tx *sql.Tx, g Grant) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO grants (id, client, subject, audience, scopes, nonce, auth_time, created, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, g.ID, g.Client, g.Subject, g.Audience, strings.Join(g.Scopes, " "), g.Nonce,
		g.AuthTime.UnixMilli(), g.Created.UnixMilli(), g.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("store the grant %q: %w", g.ID, err)
	}
	return nil
}

// EndGrant ends a grant: its code and refresh tokens are worth nothing from now
// on, and an entry of kind token with its ID revokes the access tokens made
// with it, until the given time. Ending it again changes nothing. ErrNone is
// for an ID that is not known.
func (s *Store) EndGrant(ctx context.Context, id string, now, until time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		ended, err := endGrant(ctx, tx, id, now, until)
		if err != nil || ended {
			return err
		}
		var known bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM grants WHERE id = ?)", id).Scan(&known); err != nil {
			return fmt.Errorf("look up the grant %q: %w", id, err)
		}
		if !known {
			return ErrNone
		}
		return nil
	})
}

// endGrant reports whether there was something to end. Only the first ending
// writes an entry: no token is made with a grant that has ended, and whoever
// replays a code again and again must not fill the list.
func endGrant(ctx context.Context, tx *sql.Tx, id string, now, until time.Time) (ended bool, err error) {
	result, err := tx.ExecContext(ctx, "UPDATE grants SET ended = ? WHERE id = ? AND ended IS NULL", now.UnixMilli(), id)
	if err != nil {
		return false, fmt.Errorf("end the grant %q: %w", id, err)
	}
	if n, err := result.RowsAffected(); n == 0 || err != nil {
		return false, err
	}
	_, err = revoke(ctx, tx, token.Revocation{Kind: token.RevokeToken, Value: id, Until: until.Unix()})
	return true, err
}

// EndGrants ends all grants of a subject at a client, or with client "" all of
// the subject's, as EndGrant does; that there are none is no error. A grant whose
// code nobody has redeemed needs no entry: there is no token of it.
func (s *Store) EndGrants(ctx context.Context, subject, client string, now, until time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error { return endGrants(ctx, tx, subject, client, now, until) })
}

func endGrants(ctx context.Context, tx *sql.Tx, subject, client string, now, until time.Time) error {
	const which = " WHERE subject = ?2 AND (?3 = '' OR client = ?3) AND ended IS NULL"
	if _, err := tx.ExecContext(ctx, `INSERT INTO revocations (kind, value, issued_before, keep_until)
		SELECT 'token', id, 0, ?1 FROM grants`+which+`
		AND NOT EXISTS (SELECT 1 FROM codes WHERE grant_id = grants.id AND used IS NULL)`, until.Unix(), subject, client); err != nil {
		return fmt.Errorf("revoke the grants of %q: %w", subject, err)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE grants SET ended = ?1"+which, now.UnixMilli(), subject, client); err != nil {
		return fmt.Errorf("end the grants of %q: %w", subject, err)
	}
	return nil
}
