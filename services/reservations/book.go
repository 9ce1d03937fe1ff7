package reservations

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/problem"
)

// errFull says that on some night of the stay every room is taken.
var errFull = errors.New("no room is free on every night of the stay")

// errNone says that there is no such reservation for this guest.
var errNone = errors.New("the guest has no such reservation")

// book stores r as confirmed if, on each of its nights, fewer than rooms are
// taken; else it returns errFull. Counting and taking happen in one write
// transaction, of which there is one at a time: that is what keeps two guests
// from getting the last room.
func (s *Service) book(ctx context.Context, r *hotel.Reservation, rooms int) error {
	r.ID = "r-" + strings.ToLower(rand.Text())
	r.State = hotel.Confirmed
	r.Created = s.config.Now().UTC().Truncate(time.Millisecond)
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		taken, err := taken(ctx, tx, []string{r.Hotel}, r.Stay)
		if err != nil {
			return err
		}
		if taken[r.Hotel] >= rooms {
			return errFull
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO reservations
			(id, guest, hotel, arrival, departure, guests, note, state, amount, currency, created)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, r.Guest, r.Hotel, r.From.String(), r.To.String(), r.Guests, r.Note,
			string(r.State), r.Total.Amount, r.Total.Currency, r.Created.UnixMilli())
		if err != nil {
			return fmt.Errorf("store a reservation: %w", err)
		}
		seq, err := result.LastInsertId()
		if err != nil {
			return fmt.Errorf("store a reservation: %w", err)
		}
		for night := r.From; night < r.To; night++ {
			if _, err := tx.ExecContext(ctx, "INSERT INTO nights (hotel, night, reservation) VALUES (?, ?, ?)",
				r.Hotel, night.String(), seq); err != nil {
				return fmt.Errorf("take a night: %w", err)
			}
		}
		return nil
	})
}

// release cancels the guest's reservation and frees its nights. Cancelling
// once more changes nothing. It returns errNone, or a problem where the stay
// has begun.
func (s *Service) release(ctx context.Context, guest, id string) error {
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		var seq int64
		var state, arrival string
		err := tx.QueryRowContext(ctx, "SELECT seq, state, arrival FROM reservations WHERE id = ? AND guest = ?", id, guest).
			Scan(&seq, &state, &arrival)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return errNone
		case err != nil:
			return fmt.Errorf("find a reservation: %w", err)
		case hotel.State(state) == hotel.Cancelled:
			return nil
		case arrival < s.today().String(): // ISO dates sort as they follow each other
			return problem.New(problem.Conflict, "A stay that has begun cannot be cancelled.")
		}
		if _, err := tx.ExecContext(ctx, "UPDATE reservations SET state = ?, cancelled = ? WHERE seq = ?",
			string(hotel.Cancelled), s.config.Now().UnixMilli(), seq); err != nil {
			return fmt.Errorf("cancel a reservation: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM nights WHERE reservation = ?", seq); err != nil {
			return fmt.Errorf("free the nights: %w", err)
		}
		return nil
	})
}
