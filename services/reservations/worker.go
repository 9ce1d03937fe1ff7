package reservations

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portcullis/services/hotel"
)

const (
	// look is how often held reservations are looked at.
	look = time.Second
	// firstRetry and lastRetry bound the pause before a reservation that could not
	// be settled is tried again, which doubles in between.
	firstRetry = time.Second
	lastRetry  = 15 * time.Second
	// grace is how long bookings under way may take when the process ends.
	grace = 3 * time.Second
)

// Run settles what is held and delivers what others are to be told, until ctx
// ends. A process that was killed left both to the next one, whose Run begins
// with it.
func (s *Service) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.outbox.Run(ctx) })
	both.Go(func() {
		tick := time.NewTicker(look)
		defer tick.Stop()
		for {
			if err := s.settleHeld(ctx); err != nil && ctx.Err() == nil {
				s.config.Log.Error("held reservations cannot be read", "error", err.Error())
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	both.Wait()
	// Bookings under way have been told to guests: they may still end well.
	ended := make(chan struct{})
	go func() { s.driven.all.Wait(); close(ended) }()
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
	}
}

// retry is when a reservation is tried again.
type retry struct {
	after time.Time
	pause time.Duration
}

// settleHeld goes once through what is held. One that is driven is left alone
// until its hold expires.
func (s *Service) settleHeld(ctx context.Context) error {
	held, err := s.held(ctx)
	if err != nil {
		return err
	}
	retries := make(map[string]retry, len(held))
	for _, h := range held {
		now := s.config.Now()
		expired := !now.Before(h.expires)
		before := s.retries[h.id]
		if now.Before(before.after) || (!expired && s.driven.has(h.id)) {
			retries[h.id] = before
			continue
		}
		if err := s.end(ctx, h.id, expired); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.config.Log.Warn("a reservation could not be settled", "reservation", h.id, "error", err.Error())
			pause := min(max(2*before.pause, firstRetry), lastRetry)
			retries[h.id] = retry{after: now.Add(pause), pause: pause}
		}
	}
	s.retries = retries // what is held no more is forgotten
	return nil
}

// end settles a reservation. When its hold has expired and payments still cannot
// be asked, the room is given back all the same: that nothing may stay charged
// is then told to payments by the outbox, however long that takes.
func (s *Service) end(ctx context.Context, id string, expired bool) error {
	r, err := byID(ctx, s.store.Read(), id)
	if err != nil {
		return err
	}
	err = s.settle(ctx, r)
	if err == nil || !expired || ctx.Err() != nil {
		return err
	}
	s.config.Log.Warn("a hold expired undecided", "reservation", id, "error", err.Error())
	return s.release(ctx, id, ending{reason: hotel.ReasonExpired, charge: hotel.ChargePending, void: true, booked: r.Partner != ""})
}

// hold is a reservation that is held.
type hold struct {
	id      string
	expires time.Time
}

func (s *Service) held(ctx context.Context) ([]hold, error) {
	rows, err := s.store.Read().QueryContext(ctx, "SELECT id, expires FROM reservations WHERE state = 'held' ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("find what is held: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []hold
	for rows.Next() {
		var h hold
		var expires int64
		if err := rows.Scan(&h.id, &expires); err != nil {
			return nil, fmt.Errorf("find what is held: %w", err)
		}
		h.expires = time.UnixMilli(expires)
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find what is held: %w", err)
	}
	return all, nil
}
