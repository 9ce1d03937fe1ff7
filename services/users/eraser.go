package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
)

const (
	// firstPause and lastPause bound the wait after a step that failed, which
	// doubles in between.
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second
	// look is how often steps are looked for though nobody said that there are.
	look = time.Second
	// atOnce is how many steps are read at once.
	atOnce = 16
)

// step has one service forget a guest. It may be called again for the same one.
type step struct {
	service string
	// rank orders: reservations says whether it may be at all, and the sign-in and
	// the account go last, because a guest who is told to wait must be able to look
	// again.
	rank int
	do   func(ctx context.Context, guest string) error
}

// blocked is an error that the guest has to mend.
type blocked struct{ error }

func (s *Service) allSteps() []step {
	forget := func(n Neighbour) func(context.Context, string) error {
		return func(ctx context.Context, guest string) error {
			return n.Erase.Do(ctx, peer.Call{Method: http.MethodDelete, Path: path(hotel.PathGuestData, guest)})
		}
	}
	return []step{
		{"reservations", 0, func(ctx context.Context, guest string) error {
			// Once more: a booking may have come after the removal was asked for.
			open, err := s.openBookings(ctx, guest)
			if err == nil && len(open) > 0 {
				return blocked{errors.New(bookingsFirst(open))}
			}
			if err != nil {
				return err
			}
			return forget(s.config.Reservations)(ctx, guest)
		}},
		{"payments", 1, forget(s.config.Payments)},
		{"reporting", 1, forget(s.config.Reporting)},
		{ourselves, 2, nil}, // within the transaction that stores that it is done
		{"booking", 3, forget(s.config.Booking)},
		{"authserver", 4, func(ctx context.Context, guest string) error {
			return s.config.Accounts.Do(ctx, peer.Call{Method: http.MethodDelete, Path: "/accounts/" + url.PathEscape(guest)})
		}},
	}
}

// remove carries removals out until ctx ends.
func (s *Service) remove(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		for {
			n, err := s.Remove(ctx)
			if err != nil && ctx.Err() == nil {
				s.config.Log.Error("the removals cannot be read or stored", "error", err.Error())
			}
			if n == 0 || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.removal:
		case <-tick.C:
		}
	}
}

// due is a step that may be tried now.
type due struct {
	guest, service string
	attempts       int
}

// Remove tries the steps that are due now, once each, and returns how many those
// were.
func (s *Service) Remove(ctx context.Context) (int, error) {
	all, err := s.due(ctx)
	if err != nil {
		return 0, err
	}
	for n, d := range all {
		if err := s.try(ctx, d); err != nil {
			return n, err
		}
	}
	return len(all), nil
}

func (s *Service) due(ctx context.Context) ([]due, error) {
	rows, err := s.store.Read().QueryContext(ctx, `SELECT guest, service, attempts FROM removal_steps t
		WHERE done IS NULL AND due <= ? AND NOT EXISTS
			(SELECT 1 FROM removal_steps o WHERE o.guest = t.guest AND o.rank < t.rank AND o.done IS NULL)
		ORDER BY due LIMIT ?`, s.now().UnixMilli(), atOnce)
	if err != nil {
		return nil, fmt.Errorf("look for steps of removals: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []due
	for rows.Next() {
		var d due
		if err := rows.Scan(&d.guest, &d.service, &d.attempts); err != nil {
			return nil, fmt.Errorf("look for steps of removals: %w", err)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// try does one step and stores what came of it. Its error is a fault of ours.
func (s *Service) try(ctx context.Context, d due) error {
	var failure error
	for _, step := range s.steps {
		if step.service == d.service && step.do != nil {
			failure = step.do(ctx, d.guest)
		}
	}
	if failure != nil && ctx.Err() != nil {
		return ctx.Err() // it was interrupted, which is no failure of the service
	}
	ctx = context.WithoutCancel(ctx) // what was forgotten need not be asked for again
	if failure != nil {
		return s.postpone(ctx, d, failure)
	}
	if err := s.store.Write(ctx, func(tx *sql.Tx) error { return s.finish(ctx, tx, d) }); err != nil {
		return err
	}
	if d.service == ourselves {
		return s.store.Scrub(ctx)
	}
	return nil
}

// finish stores that a step is done, and with the last one the removal.
func (s *Service) finish(ctx context.Context, tx *sql.Tx, d due) error {
	now := s.now().UnixMilli()
	if d.service == ourselves {
		if err := s.forget(ctx, tx, d.guest); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE removal_steps SET done = ? WHERE guest = ? AND service = ?", now, d.guest, d.service); err != nil {
		return fmt.Errorf("store that a step is done: %w", err)
	}
	_, err := tx.ExecContext(ctx, `UPDATE removals SET blocked = '',
		completed = CASE WHEN EXISTS (SELECT 1 FROM removal_steps WHERE guest = ?1 AND done IS NULL) THEN NULL ELSE ?2 END WHERE guest = ?1`, d.guest, now)
	if err != nil {
		return fmt.Errorf("store how far a removal is: %w", err)
	}
	return nil
}

// postpone stores that a step is to be tried again, and why where the guest can
// do something about it.
func (s *Service) postpone(ctx context.Context, d due, failure error) error {
	why := ""
	if b, ok := errors.AsType[blocked](failure); ok {
		why = b.Error()
	} else if refusal, ok := errors.AsType[*peer.Refusal](failure); ok && refusal.Status() == http.StatusConflict {
		why = plain(refusal.Problem.Detail, 500)
	}
	s.config.Log.Warn("a service has not forgotten a guest yet", "service", d.service, "attempts", d.attempts+1, "error", failure.Error())
	wait := min(firstPause<<min(d.attempts, 10), lastPause)
	wait -= rand.N(wait / 5) // not all at the same moment
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE removal_steps SET attempts = attempts + 1, due = ? WHERE guest = ? AND service = ?",
			s.now().Add(wait).UnixMilli(), d.guest, d.service); err != nil {
			return fmt.Errorf("postpone a step: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE removals SET blocked = ? WHERE guest = ?", why, d.guest); err != nil {
			return fmt.Errorf("postpone a step: %w", err)
		}
		return nil
	})
}
