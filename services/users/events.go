package users

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
)

// eventID is what an event may be called: printed and compared, never executed.
var eventID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$`)

// takeEvent serves POST /v1/events, for reservations. What comes again changes
// nothing.
func (s *Service) takeEvent(w http.ResponseWriter, r *http.Request) error {
	var e hotel.Event
	if err := wire.Decode(w, r, &e); err != nil {
		return err
	}
	if err := checkEvent(e); err != nil {
		return wire.Unprocessable(err)
	}
	if err := s.keepEvent(r.Context(), e); err != nil {
		return err
	}
	s.outbox.Wake()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkEvent refuses what could not be stored or told. Texts that are merely too
// long are cut when they are shown: their mail must not be lost for that.
func checkEvent(e hotel.Event) error {
	b := e.Reservation
	switch {
	case !eventID.MatchString(e.ID):
		return errors.New("id is missing or is not an event's id")
	case e.Kind != hotel.BookingConfirmed && e.Kind != hotel.BookingCancelled:
		return fmt.Errorf("kind %.40q is unknown here", e.Kind)
	case !hotel.ValidID(b.ID):
		return errors.New("reservation.id is missing or is not a reservation's id")
	case !hotel.ValidID(b.Hotel):
		return errors.New("reservation.hotel is missing or is not a hotel's id")
	case !validGuest(b.Guest):
		return errors.New("reservation.guest is missing or cannot be a guest")
	case b.Receipt != "" && !hotel.ValidID(b.Receipt):
		return errors.New("reservation.receipt is not a document's id")
	case b.From <= 0 || b.To <= b.From:
		return errors.New("reservation.from and reservation.to are no stay")
	}
	return nil
}

// keepEvent stores an event and the mails that it causes, in one transaction.
func (s *Service) keepEvent(ctx context.Context, e hotel.Event) error {
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		known, err := exists(ctx, tx, "SELECT 1 FROM events WHERE id = ?", e.ID)
		if err != nil || known {
			return err
		}
		// What is told late of somebody who was removed is told to the hotel alone,
		// and without a name.
		forgotten, err := exists(ctx, tx, "SELECT 1 FROM removal_steps WHERE guest = ? AND service = ? AND done IS NOT NULL", e.Reservation.Guest, ourselves)
		if err != nil {
			return err
		}
		// A confirmation that comes after the cancellation, because its receipt was
		// late, would only mislead.
		overtaken := false
		if e.Kind == hotel.BookingConfirmed {
			overtaken, err = exists(ctx, tx, "SELECT 1 FROM events WHERE reservation = ? AND kind = ?", e.Reservation.ID, string(hotel.BookingCancelled))
			if err != nil {
				return err
			}
		}
		guest := e.Reservation.Guest
		if forgotten {
			guest, e.Reservation = "", anonymous(e.Reservation)
		}
		body, err := json.Marshal(e.Reservation)
		if err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO events (id, kind, guest, reservation, received, body) VALUES (?, ?, ?, ?, ?, ?)",
			e.ID, string(e.Kind), guest, e.Reservation.ID, s.now().UnixMilli(), body); err != nil {
			return fmt.Errorf("store an event: %w", err)
		}
		addressed, err := exists(ctx, tx, "SELECT 1 FROM profiles WHERE guest = ?", guest)
		if err != nil {
			return err
		}
		states := map[string]state{toGuest: waiting, toHotel: waiting}
		switch {
		case overtaken:
			states[toGuest], states[toHotel] = isOvertaken, isOvertaken
		case forgotten:
			states[toGuest] = isForgotten
		case !addressed:
			states[toGuest] = parked
		}
		for recipient, state := range states {
			if err := s.addLetter(ctx, tx, e.ID, recipient, state); err != nil {
				return err
			}
		}
		return settle(ctx, tx, e.ID)
	})
}

// anonymous is a reservation without its guest.
func anonymous(r hotel.Reservation) hotel.Reservation {
	r.Guest, r.Name, r.Note = "", "", ""
	if r.Payment != nil {
		kept := *r.Payment
		kept.Last4, kept.Declined = "", ""
		r.Payment = &kept
	}
	return r
}

func exists(ctx context.Context, q row, query string, args ...any) (found bool, err error) {
	if err := q.QueryRowContext(ctx, "SELECT EXISTS ("+query+")", args...).Scan(&found); err != nil {
		return false, fmt.Errorf("look something up: %w", err)
	}
	return found, nil
}
