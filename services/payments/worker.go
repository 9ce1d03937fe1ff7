package payments

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"portcullis/services/hotel"
)

const (
	// idle is how often the worker looks though nobody said that there is work.
	idle = time.Second
	// batch is how many charges are worked on at once: a slow bank answers as
	// slowly to one as to several.
	batch = 8
	// firstRetry and lastRetry bound the pause after the bank could not be
	// reached, which doubles in between.
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Wake says that there may be something to settle with the bank.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// work settles what is due until ctx ends. What is under way then is done again
// by the next process: the bank knows each key.
func (s *Service) work(ctx context.Context) {
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		for ctx.Err() == nil {
			n, err := s.Settle(ctx)
			if err != nil && ctx.Err() == nil {
				s.config.Log.Error("open charges cannot be read", "error", err.Error())
			}
			if n == 0 || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// Settle asks or tells the bank what is due now, once for each charge, and
// returns how many there were.
func (s *Service) Settle(ctx context.Context) (int, error) {
	due, err := query(ctx, s.store.Read(), "WHERE c.task <> '' AND c.due <= ? ORDER BY c.due LIMIT ?", s.config.Now().UnixMilli(), batch)
	if err != nil {
		return 0, err
	}
	var all sync.WaitGroup
	for _, c := range due {
		all.Go(func() {
			err := s.perform(ctx, &c)
			if err == nil || ctx.Err() != nil {
				return // what was interrupted is due as before
			}
			s.config.Log.Warn("a charge could not be settled with the bank", "charge", c.ID, "task", c.task, "attempts", c.attempts+1, "error", err.Error())
			if err := s.later(ctx, &c); err != nil {
				s.config.Log.Error("a charge could not be put off", "charge", c.ID, "error", err.Error())
			}
		})
	}
	all.Wait()
	return len(due), nil
}

// perform does what a charge waits for.
func (s *Service) perform(ctx context.Context, c *charge) error {
	switch c.task {
	case taskAsk:
		said, err := s.bank.ask(ctx, c.ID)
		if err != nil {
			return err
		}
		_, err = s.settle(context.WithoutCancel(ctx), c.ID, said) // it was asked for nothing else
		return err
	case taskVoid:
		if err := s.bank.void(ctx, c.ID); err != nil {
			return err
		}
	case taskRefund:
		if err := s.bank.refund(ctx, c.ID, c.Amount.Amount); err != nil {
			return err
		}
	}
	return s.done(context.WithoutCancel(ctx), c.ID)
}

// done stores that the bank has given a charge back, or never took it.
func (s *Service) done(ctx context.Context, id string) error {
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		c, err := find(ctx, tx, id)
		if err != nil || c.task == taskNone || c.Status == hotel.ChargePending {
			return err // somebody else has done it
		}
		taken, err := posted(ctx, tx, id, postCharge)
		if err != nil {
			return err
		}
		if taken {
			if err := s.post(ctx, tx, c, postReturn); err != nil {
				return err
			}
			if err := s.tellGuest(ctx, tx, kindRefund, c); err != nil {
				return err
			}
		}
		// Its last mail is in the outbox: the address is not needed any more.
		_, err = tx.ExecContext(ctx, "UPDATE charges SET task = ?, receipt_to = '' WHERE id = ?", taskNone, id)
		return err
	})
	s.outbox.Wake()
	return err
}

// later puts a charge off after the bank could not be reached.
func (s *Service) later(ctx context.Context, c *charge) error {
	wait := min(firstRetry<<min(c.attempts, 10), lastRetry)
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE charges SET attempts = attempts + 1, due = ? WHERE id = ? AND task = ?",
			s.config.Now().Add(wait).UnixMilli(), c.ID, c.task)
		return err
	})
}

// hurry has the worker ask about a charge now that nobody waits at the bank for
// it any more.
func (s *Service) hurry(ctx context.Context, id string) error {
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE charges SET due = ? WHERE id = ? AND task = ?", s.config.Now().UnixMilli(), id, taskAsk)
		return err
	})
	s.Wake()
	return err
}
