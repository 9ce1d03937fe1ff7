package reservations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/problem"
)

// errFull says that on some night of the stay every room is taken.
var errFull = errors.New("no room is free on every night of the stay")

// errNone says that there is no such reservation for this guest.
var errNone = errors.New("the guest has no such reservation")

// booking is a reservation in the making.
type booking struct {
	hotel.Reservation
	// rooms is how many the hotel lets; a partner counts its own.
	rooms int
	// card, email and subject are what the charge needs. They are in memory only:
	// who finds the reservation later can ask about the charge, and never make one.
	card           *hotel.Card
	email, subject string
	repeat
}

// place takes the room and stores b: confirmed where nothing else has to be
// asked, else held. Counting and taking happen in one write transaction, of
// which there is one at a time: that is what keeps two guests from getting the
// last room. It returns the reservation that has the key already, if there is
// one; errFull when no room is left.
func (s *Service) place(ctx context.Context, b *booking) (earlier *hotel.Reservation, err error) {
	b.Created = s.config.Now().UTC().Truncate(time.Millisecond)
	b.State = hotel.Confirmed
	var expires sql.NullInt64
	if b.card != nil || b.Partner != "" {
		b.State = hotel.Held
		expires = sql.NullInt64{Int64: b.Created.Add(s.config.Hold).UnixMilli(), Valid: true}
	}
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		err := checkForgotten(ctx, tx, b.Guest)
		if err != nil {
			return err
		}
		if earlier, err = s.repeated(ctx, tx, b.Guest, b.repeat); err != nil || earlier != nil {
			return err
		}
		if b.Partner == "" {
			taken, err := taken(ctx, tx, []string{b.Hotel}, b.Stay)
			if err != nil {
				return err
			}
			if taken[b.Hotel] >= b.rooms {
				return errFull
			}
		}
		return s.insert(ctx, tx, b, expires)
	})
	if err == nil && earlier == nil && b.State == hotel.Confirmed {
		s.outbox.Wake()
	}
	return earlier, err
}

func (s *Service) insert(ctx context.Context, tx *sql.Tx, b *booking, expires sql.NullInt64) error {
	result, err := tx.ExecContext(ctx, `INSERT INTO reservations
		(id, guest, hotel, arrival, departure, guests, note, state, amount, currency, created, expires,
			hotel_name, city, partner, name, method, charge, key, fingerprint)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		b.ID, b.Guest, b.Hotel, b.From.String(), b.To.String(), b.Guests, b.Note,
		string(b.State), b.Total.Amount, b.Total.Currency, b.Created.UnixMilli(), expires,
		b.HotelName, b.City, b.Partner, b.Name, string(b.Payment.Method), string(b.Payment.Status), b.column(), b.fingerprint)
	if err != nil {
		return fmt.Errorf("store a reservation: %w", err)
	}
	if b.Partner == "" {
		seq, err := result.LastInsertId()
		if err != nil {
			return fmt.Errorf("store a reservation: %w", err)
		}
		for night := b.From; night < b.To; night++ {
			if _, err := tx.ExecContext(ctx, "INSERT INTO nights (hotel, night, reservation) VALUES (?, ?, ?)",
				b.Hotel, night.String(), seq); err != nil {
				return fmt.Errorf("take a night: %w", err)
			}
		}
	}
	if b.State == hotel.Confirmed {
		return s.outbox.Add(ctx, tx, receipt, b.ID, about{Reservation: b.ID})
	}
	return nil
}

// confirm ends a hold well. charge is nil when the guest pays at the hotel.
// Whoever decided the reservation before stands: nothing is changed then.
func (s *Service) confirm(ctx context.Context, id string, charge *hotel.Charge) error {
	var status, card string
	if charge != nil {
		status, card = string(hotel.ChargeApproved), last4(charge.Last4)
	}
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		changed, err := change(ctx, tx, "UPDATE reservations SET state = 'confirmed', expires = NULL, charge = ?, last4 = ? WHERE id = ? AND state = 'held'",
			status, card, id)
		if err != nil || !changed {
			return err
		}
		return s.outbox.Add(ctx, tx, receipt, id, about{Reservation: id})
	})
	if err != nil {
		return fmt.Errorf("confirm a reservation: %w", err)
	}
	s.outbox.Wake()
	return nil
}

// ending is how a hold ends badly.
type ending struct {
	reason string
	// charge is how the charge stands; declined is why the bank said no.
	charge   hotel.ChargeStatus
	last4    string
	declined string
	// void has payments told, as often as it takes, that nothing may be charged.
	void bool
	// booked says that the partner may have a booking, which is to be given back.
	booked bool
}

// release ends a hold badly: its rooms are free again. The key of a booking that
// came to nothing through no fault of the guest's is free as well: sending the
// same again books anew, and nothing else is what its sender wants.
func (s *Service) release(ctx context.Context, id string, e ending) error {
	again := e.reason != hotel.ReasonDeclined && e.reason != hotel.ReasonFull
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		changed, err := change(ctx, tx, `UPDATE reservations SET state = 'released', expires = NULL, reason = ?, charge = ?, last4 = ?, declined = ?,
			key = iif(?5, NULL, key), fingerprint = iif(?5, NULL, fingerprint) WHERE id = ?6 AND state = 'held'`,
			e.reason, string(e.charge), last4(e.last4), e.declined, again, id)
		if err != nil || !changed {
			return err
		}
		if err := free(ctx, tx, id); err != nil {
			return err
		}
		if e.void {
			if err := s.outbox.Add(ctx, tx, void, id, about{Reservation: id}); err != nil {
				return err
			}
		}
		if e.booked {
			return s.outbox.Add(ctx, tx, giveBack, id, about{Reservation: id})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("release a reservation: %w", err)
	}
	s.outbox.Wake()
	return nil
}

// drop cancels the guest's reservation and frees its nights; what it has cost
// is given back. Cancelling once more changes nothing. It returns errNone, or a
// problem where the stay has begun or the booking is not decided.
func (s *Service) drop(ctx context.Context, guest, id string) error {
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		var state, arrival, method, partner string
		err := tx.QueryRowContext(ctx, "SELECT state, arrival, method, partner FROM reservations WHERE id = ? AND guest = ?", id, guest).
			Scan(&state, &arrival, &method, &partner)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return errNone
		case err != nil:
			return fmt.Errorf("find a reservation: %w", err)
		case hotel.State(state) == hotel.Cancelled, hotel.State(state) == hotel.Released:
			return nil
		case hotel.State(state) == hotel.Held:
			return problem.New(problem.Conflict, "The booking is not decided yet: try again in a moment.")
		case arrival < s.today().String(): // ISO dates sort as they follow each other
			return problem.New(problem.Conflict, "A stay that has begun cannot be cancelled.")
		}
		if _, err := tx.ExecContext(ctx, "UPDATE reservations SET state = 'cancelled', cancelled = ? WHERE id = ?",
			s.config.Now().UnixMilli(), id); err != nil {
			return fmt.Errorf("cancel a reservation: %w", err)
		}
		if err := free(ctx, tx, id); err != nil {
			return err
		}
		if hotel.PaymentMethod(method) == hotel.ByCard {
			if err := s.outbox.Add(ctx, tx, refund, id, about{Reservation: id}); err != nil {
				return err
			}
		}
		if partner != "" {
			if err := s.outbox.Add(ctx, tx, giveBack, id, about{Reservation: id}); err != nil {
				return err
			}
		}
		return s.tell(ctx, tx, id, hotel.BookingCancelled)
	})
	s.outbox.Wake()
	return err
}

// free gives the nights of a reservation back.
func free(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM nights WHERE reservation = (SELECT seq FROM reservations WHERE id = ?)", id); err != nil {
		return fmt.Errorf("free the nights: %w", err)
	}
	return nil
}

// change reports whether a statement changed anything.
func change(ctx context.Context, tx *sql.Tx, statement string, args ...any) (bool, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
