package payments

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
)

// maxListed is how many charges are listed at once, the newest.
const maxListed = 200

// guestData is all that is held of a guest.
type guestData struct {
	Charges []guestCharge `json:"charges"`
}

type guestCharge struct {
	hotel.Charge
	ReceiptTo string `json:"receipt_to,omitempty"`
}

// export serves GET /v1/guests/{guest}/data.
func (s *Service) export(w http.ResponseWriter, r *http.Request) error {
	guest, err := wire.Guest(r)
	if err != nil {
		return err
	}
	found, err := query(r.Context(), s.store.Read(), "WHERE g.guest = ? ORDER BY c.seq", guest)
	if err != nil {
		return err
	}
	data := guestData{Charges: make([]guestCharge, 0, len(found))}
	for _, c := range found {
		data.Charges = append(data.Charges, guestCharge{c.Charge, c.receiptTo})
	}
	return wire.Answer(w, http.StatusOK, data)
}

// erase serves DELETE /v1/guests/{guest}/data. Money that is on its way back
// still goes back.
func (s *Service) erase(w http.ResponseWriter, r *http.Request) error {
	guest, err := wire.Guest(r)
	if err != nil {
		return err
	}
	if err := s.forget(r.Context(), guest); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget anonymises a guest's account: charges and postings keep its number,
// the amounts and the days, and nothing that tells whose they were.
func (s *Service) forget(ctx context.Context, guest string) error {
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		const theirs = " IN (SELECT id FROM charges WHERE account = (SELECT account FROM guests WHERE guest = ?))"
		for _, statement := range []string{
			"DELETE FROM outbox WHERE key" + theirs,
			"UPDATE charges SET last4 = '', receipt_to = '' WHERE id" + theirs,
			"UPDATE guests SET guest = NULL WHERE guest = ?",
		} {
			if _, err := tx.ExecContext(ctx, statement, guest); err != nil {
				return fmt.Errorf("forget a guest: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.store.Scrub(ctx)
}
