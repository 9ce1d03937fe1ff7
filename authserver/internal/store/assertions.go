package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"time"
)

// assertionSkew is how long after its expiry an assertion may still be taken
// for good by a process whose clock is behind: its use is remembered as long.
const assertionSkew = time.Minute

const addAssertionSQL = "INSERT INTO assertions (hash, expires) VALUES (?, ?) ON CONFLICT DO NOTHING"

// UseAssertion remembers that a client used the assertion with this ID (jti)
// and reports whether it is the first time: of any number of calls at once, in
// any number of processes, exactly one gets true (RFC 7523 3). IDs of different
// clients have nothing to do with each other. The use may be forgotten a minute
// after expires.
func (s *Store) UseAssertion(ctx context.Context, client, id string, expires time.Time) (first bool, err error) {
	hash := assertionHash(client, id)
	err = s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.StmtContext(ctx, s.addAssertion).ExecContext(ctx, hash[:], expires.UnixMilli())
		if err != nil {
			return fmt.Errorf("remember an assertion of client %q: %w", client, err)
		}
		n, err := result.RowsAffected()
		first = n == 1
		return err
	})
	return first && err == nil, err
}

// assertionHash is of fixed size, however long an ID a client thinks up, and
// different for every pair: the length before each part says where it ends.
func assertionHash(client, id string) [32]byte {
	var text []byte
	for _, part := range []string{client, id} {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}
