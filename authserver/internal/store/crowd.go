package store

import (
	"context"
	"database/sql"
	"fmt"
)

const (
	// maxPending is how many codes of one person wait at one client: more windows
	// than somebody signs in in at once.
	maxPending = 20
	// maxGrants is how many sign-ins one person has at one client.
	maxGrants = 100
)

// crowd ends the oldest grants of one person at one client for the newest, n.
// Whoever is signed in gets codes as fast as requests are taken; kept without a
// bound they would fill the database, and all of them ended at once, by signing
// out, would be more revocations than any verifier keeps.
func crowd(ctx context.Context, tx *sql.Tx, n Grant) error {
	// No token was made with these: they may go without a word.
	pending, err := ids(ctx, tx, `SELECT g.id FROM grants g JOIN codes c ON c.grant_id = g.id
		WHERE g.subject = ? AND g.client = ? AND g.ended IS NULL AND c.used IS NULL
		ORDER BY g.created DESC, g.id LIMIT -1 OFFSET ?`, n.Subject, n.Client, maxPending)
	if err != nil {
		return fmt.Errorf("look for codes of %q that nobody redeems: %w", n.Subject, err)
	}
	for _, id := range pending {
		for _, drop := range []string{"DELETE FROM codes WHERE grant_id = ?", "DELETE FROM grants WHERE id = ?"} {
			if _, err := tx.ExecContext(ctx, drop, id); err != nil {
				return fmt.Errorf("drop the grant %q: %w", id, err)
			}
		}
	}
	old, err := ids(ctx, tx, `SELECT id FROM grants WHERE subject = ? AND client = ? AND ended IS NULL
		ORDER BY created DESC, id LIMIT -1 OFFSET ?`, n.Subject, n.Client, maxGrants)
	if err != nil {
		return fmt.Errorf("look for old grants of %q: %w", n.Subject, err)
	}
	for _, id := range old {
		if _, err := endGrant(ctx, tx, id, n.Created, n.Created.Add(longestToken)); err != nil {
			return err
		}
	}
	return nil
}

func ids(ctx context.Context, tx *sql.Tx, query string, args ...any) (found []string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		found = append(found, id)
	}
	return found, rows.Err()
}
