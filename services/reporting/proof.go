package reporting

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"fmt"
	"strings"

	"portcullis/services/internal/store"
)

// codeBytes is how much of the MAC a code holds: 120 bits, which are 24 signs
// without padding.
const codeBytes = 15

// signs are Crockford's: no letter among them looks like a figure, because
// people copy codes from paper.
var signs = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// secret is the key of codes and marks. It lives in the database: a copy of the
// file elsewhere proves the same documents.
type secret []byte

// String keeps the key out of whatever is printed.
func (secret) String() string { return "(secret)" }

// GoString is String for %#v.
func (s secret) GoString() string { return s.String() }

// keep reads the key, or makes it.
func keep(ctx context.Context, db *store.Store) (key secret, err error) {
	fresh := make([]byte, sha256.Size)
	_, _ = rand.Read(fresh) // never fails
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO secret (id, key) VALUES (1, ?) ON CONFLICT (id) DO NOTHING", fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT key FROM secret WHERE id = 1").Scan((*[]byte)(&key))
	})
	if err != nil {
		return nil, fmt.Errorf("keep the key of proofs: %w", err)
	}
	return key, nil
}

// code proves a document. It depends on the id alone, which names one document
// for ever: so a wrong code is refused before anything is looked up, and nobody
// can learn which ids there are.
func (s secret) code(id string) string {
	return signs.EncodeToString(s.mac("document", id)[:codeBytes])
}

// proves compares in a time that does not depend on where the codes differ.
func (s secret) proves(id, code string) bool {
	return hmac.Equal([]byte(s.code(id)), []byte(strings.ToLower(code)))
}

// mark stands for a guest who was erased.
func (s secret) mark(guest string) []byte { return s.mac("guest", guest) }

// mac keeps what is for one purpose from being taken for another.
func (s secret) mac(purpose, text string) []byte {
	m := hmac.New(sha256.New, s)
	_, _ = m.Write([]byte(purpose + "\x00" + text))
	return m.Sum(nil)
}
