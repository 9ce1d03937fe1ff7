package reservations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/http"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// guestData is all that the service holds of a guest.
type guestData struct {
	Guest        string              `json:"guest"`
	Reservations []hotel.Reservation `json:"reservations"`
}

// export serves GET /v1/guests/{guest}/data.
func (s *Service) export(w http.ResponseWriter, r *http.Request) error {
	guest, err := entrusted(r)
	if err != nil {
		return err
	}
	all, err := page(r.Context(), s.store.Read(), selectReservation+"WHERE guest = ? ORDER BY seq", guest)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, guestData{Guest: guest, Reservations: all})
}

// erase serves DELETE /v1/guests/{guest}/data.
func (s *Service) erase(w http.ResponseWriter, r *http.Request) error {
	guest, err := entrusted(r)
	if err != nil {
		return err
	}
	if err := s.forget(r.Context(), guest); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// entrusted is the guest in the path, of whom a service may ask for everything.
// One that acts for somebody may do so only for that one.
func entrusted(r *http.Request) (string, error) {
	principal, err := principal(r)
	if err != nil {
		return "", err
	}
	guest, err := wire.Guest(r)
	if err != nil {
		return "", err
	}
	if principal.Actor != "" && principal.Subject != guest {
		return "", problem.New(problem.Forbidden, "This is another guest's data.")
	}
	return guest, nil
}

// forget keeps of a guest's reservations what the books need: hotel, dates and
// amounts. Messages name no guest: those that would tell of one are dropped when
// their turn comes, while what is to be given back to a bank or a partner is.
// While a booking is not over it is refused, and afterwards none is made: nobody
// could cancel it, and nothing would forget it.
func (s *Service) forget(ctx context.Context, guest string) error {
	mark := sha256.Sum256([]byte(guest))
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		var open bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM reservations
			WHERE guest = ? AND (state = 'held' OR state = 'confirmed' AND departure > ?))`, guest, s.today().String()).Scan(&open); err != nil {
			return fmt.Errorf("look for bookings that are not over: %w", err)
		}
		if open {
			return problem.New(problem.Conflict, "There is a booking that is not over.")
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO erased (guest) VALUES (?) ON CONFLICT DO NOTHING", mark[:]); err != nil {
			return fmt.Errorf("forget a guest: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE reservations SET guest = '', name = '', note = '', last4 = '', declined = '', receipt = '',
			key = NULL, fingerprint = NULL WHERE guest = ?`, guest); err != nil {
			return fmt.Errorf("forget a guest: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.store.Scrub(ctx)
}

// checkForgotten refuses a guest who was forgotten.
func checkForgotten(ctx context.Context, tx *sql.Tx, guest string) error {
	mark := sha256.Sum256([]byte(guest))
	var gone bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM erased WHERE guest = ?)", mark[:]).Scan(&gone); err != nil {
		return fmt.Errorf("look for a guest who was forgotten: %w", err)
	}
	if gone {
		return problem.New(problem.Conflict, "Your data was removed: nothing new is booked.")
	}
	return nil
}
