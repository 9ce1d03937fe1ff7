package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// purgeBatch is how many rows go in one change: few enough that requests which
// wait for the same commit do not feel it.
const purgeBatch = 1000

// unverifiedFor is how long an account waits for its address to be confirmed: a
// week, so that nobody keeps an address from its owner or fills the database
// with addresses that were made up.
const unverifiedFor = 7 * 24 * time.Hour

// perishable is a table whose rows go once the column is below a bound; with
// only, those alone for which it holds.
type perishable struct {
	table, key, column string
	below              int64
	only               string
}

// perishables lists what expires. A used code or refresh token stays until it
// would have expired, so that its replay is noticed; a grant stays until the
// last access token made with it is dead, so that it can be ended, unless its code
// was never redeemed. It goes before that code does: without the code it would
// look like one that was.
func perishables(now time.Time) []perishable {
	return []perishable{
		{"grants", "id", "created", now.UnixMilli(), fmt.Sprintf(" AND id IN (SELECT grant_id FROM codes WHERE used IS NULL AND expires < %d)", now.UnixMilli())},
		{"codes", "hash", "expires", now.UnixMilli(), ""},
		{"refresh_tokens", "hash", "expires", now.UnixMilli(), ""},
		{"assertions", "hash", "expires", now.Add(-assertionSkew).UnixMilli(), ""},
		{"grants", "id", "expires", now.Add(-longestToken).UnixMilli(), ""},
		{"revocations", "seq", "keep_until", now.Unix(), ""},
		{"sessions", "hash", "expires", now.UnixMilli(), ""},
		{"mail_tokens", "hash", "expires", now.UnixMilli(), ""},
		{"mail_outbox", "id", "expires", now.UnixMilli(), ""},
		{"accounts", "id", "created", now.Add(-unverifiedFor).UnixMilli(), " AND verified IS NULL"},
	}
}

// Purge removes what has expired and returns how many rows that were. It takes
// small steps, each durable by itself; writes go on between them.
func (s *Store) Purge(ctx context.Context, now time.Time) (rows int, err error) {
	for _, p := range perishables(now) {
		for gone := purgeBatch; gone == purgeBatch; {
			if gone, err = s.purge(ctx, p); err != nil {
				return rows, fmt.Errorf("purge %s: %w", p.table, err)
			}
			rows += gone
		}
	}
	return rows, nil
}

func (s *Store) purge(ctx context.Context, p perishable) (rows int, err error) {
	query := fmt.Sprintf("DELETE FROM %[1]s WHERE %[2]s IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < ?1%[4]s LIMIT ?2)", p.table, p.key, p.column, p.only)
	err = s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, p.below, purgeBatch)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		rows = int(n)
		return err
	})
	return rows, err
}
