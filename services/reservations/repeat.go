package reservations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

const (
	keyField = "Idempotency-Key"
	// maxKey bounds a key, in bytes; a UUID has 36.
	maxKey = 128
)

// repeat tells a request that comes again from another one.
type repeat struct {
	key string
	// fingerprint is a digest of what was asked for. Of the card it holds the
	// last four digits: a digest of more could be searched for the number. Nor
	// does it hold the address for mails, which is kept nowhere.
	fingerprint []byte
}

// column is the key as it is stored: NULL if there is none.
func (r repeat) column() sql.NullString { return sql.NullString{String: r.key, Valid: r.key != ""} }

// repeatOf reads the key of a request, if it has one.
func repeatOf(h http.Header, ask *hotel.ReservationRequest) (repeat, error) {
	given := h.Values(keyField)
	if len(given) == 0 {
		return repeat{}, nil
	}
	key := given[0]
	if len(given) > 1 || key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return repeat{}, wire.Unprocessable(fmt.Errorf("the field %s must be there once, with 1 to %d printable ASCII characters", keyField, maxKey))
	}
	asked := *ask
	asked.Card, asked.Email = nil, ""
	card := ""
	if ask.Card != nil {
		card = last4(ask.Card.Number)
	}
	raw, err := json.Marshal([]any{asked, card, ask.Card != nil})
	if err != nil {
		return repeat{}, err
	}
	sum := sha256.Sum256(raw)
	return repeat{key: key, fingerprint: sum[:]}, nil
}

// repeated returns the reservation that was made with the key, or nil. The same
// key with another request is a conflict.
func (s *Service) repeated(ctx context.Context, q querier, guest string, r repeat) (*hotel.Reservation, error) {
	if r.key == "" {
		return nil, nil
	}
	var id string
	var fingerprint []byte
	err := q.QueryRowContext(ctx, "SELECT id, fingerprint FROM reservations WHERE guest = ? AND key = ?", guest, r.key).Scan(&id, &fingerprint)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for an %s: %w", keyField, err)
	case string(fingerprint) != string(r.fingerprint):
		return nil, problem.New(problem.Conflict, "This "+keyField+" was used for another booking: take a new one.")
	}
	return find(ctx, q, guest, id)
}
