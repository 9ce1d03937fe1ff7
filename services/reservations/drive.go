package reservations

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

const (
	// maxUnderWay bounds the bookings that wait for a bank or a partner.
	maxUnderWay = 256
	// settleTime bounds asking what became of a charge, and undoing it.
	settleTime = 5 * time.Second
)

// underWay are the bookings that somebody in this process drives: nobody else
// needs to find out what became of them.
type underWay struct {
	mu  sync.Mutex
	ids map[string]bool
	all sync.WaitGroup
}

// begin says that the booking is driven, unless too many are.
func (u *underWay) begin(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.ids) >= maxUnderWay {
		return false
	}
	u.ids[id] = true
	u.all.Add(1)
	return true
}

func (u *underWay) end(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.ids, id)
	u.all.Done()
}

func (u *underWay) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ids[id]
}

// book places a booking and drives it, as long as its sender can be expected to
// wait. It returns the reservation as it then stands.
func (s *Service) book(ctx context.Context, b *booking, patience <-chan time.Time) (*hotel.Reservation, error) {
	b.ID = "r-" + strings.ToLower(rand.Text())
	// Before it is stored, or Run would take it for one that nobody drives.
	if !s.driven.begin(b.ID) {
		return nil, later("Too many bookings are being made right now.").
			Because(fmt.Errorf("%d bookings are under way", maxUnderWay))
	}
	earlier, err := s.place(ctx, b)
	if err != nil || earlier != nil || b.State != hotel.Held {
		s.driven.end(b.ID)
		if err != nil || earlier != nil {
			return earlier, err
		}
		return &b.Reservation, nil
	}
	s.drive(ctx, b, patience)
	return byID(context.WithoutCancel(ctx), s.store.Read(), b.ID)
}

// drive brings a held booking to its end, and waits for that until patience is
// over. The guest who hangs up, and the one who is told to look again, are
// booked all the same.
func (s *Service) drive(ctx context.Context, b *booking, patience <-chan time.Time) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(s.work, cancel)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.driven.end(b.ID)
		defer func() { stop(); cancel() }()
		defer func() {
			if cause := recover(); cause != nil { // what is held, the worker settles
				s.config.Log.Error("a booking panicked", "reservation", b.ID, "error", fmt.Sprint(cause))
			}
		}()
		if err := s.decide(working, b); err != nil && working.Err() == nil {
			s.config.Log.Warn("a booking is not decided yet", "reservation", b.ID, "error", err.Error())
		}
	}()
	select {
	case <-done:
	case <-patience:
	case <-ctx.Done():
	}
}

// decide books the partner's room and charges the card, in this order: a room
// can be given back without anybody's bank having to help. An error leaves the
// booking held.
func (s *Service) decide(ctx context.Context, b *booking) error {
	if b.Partner != "" {
		if e := s.bookThere(ctx, b); e != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return s.release(ctx, b.ID, *e)
		}
	}
	if b.card == nil {
		return s.confirm(ctx, b.ID, nil)
	}
	charge, err := s.charge(ctx, b)
	if ctx.Err() != nil {
		return ctx.Err() // the process ends: the next one asks what became of it
	}
	if err == nil && approves(charge, &b.Reservation) {
		return s.confirm(ctx, b.ID, charge)
	}
	if err == nil {
		return s.settle(ctx, &b.Reservation)
	}
	if refusal, ok := errors.AsType[*peer.Refusal](err); ok {
		e := ending{reason: hotel.ReasonDeclined, charge: hotel.ChargeDeclined, last4: b.card.Number, booked: b.Partner != ""}
		switch refusal.Status() {
		case http.StatusPaymentRequired:
			e.declined = words(refusal.Problem.Detail)
			return s.release(ctx, b.ID, e)
		case http.StatusUnprocessableEntity: // payments itself cannot make a charge of it
			e.declined, e.void = "The card cannot be charged as it was given.", true
			return s.release(ctx, b.ID, e)
		}
	}
	// Whatever else it is, a charge may have been made. The error is not logged
	// with its text: whoever answered has seen the card.
	s.config.Log.Warn("a charge was not answered", "reservation", b.ID, "code", string(codeOf(err)))
	return s.settle(ctx, &b.Reservation)
}

// charge has payments charge the card, for the guest.
func (s *Service) charge(ctx context.Context, b *booking) (*hotel.Charge, error) {
	var charge hotel.Charge
	err := s.config.Payments.Do(ctx, peer.Call{
		Method:  http.MethodPost,
		Path:    hotel.PathCharges,
		In:      hotel.ChargeRequest{Reservation: b.ID, Amount: b.Total, Card: *b.card, ReceiptTo: b.email},
		Out:     &charge,
		Subject: b.subject,
		Key:     b.ID,
	})
	return &charge, err
}

// approves reports whether the charge pays for the reservation.
func approves(c *hotel.Charge, r *hotel.Reservation) bool {
	return c.ID == r.ID && c.Status == hotel.ChargeApproved && c.Amount == r.Total
}

// settle finds out what became of a held reservation whose driver is gone or
// had no answer, and ends it accordingly. It never charges: it has no card, and
// what was not charged by then never will be. An error leaves it held.
func (s *Service) settle(ctx context.Context, r *hotel.Reservation) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	booked := r.Partner != ""
	if r.Payment.Method != hotel.ByCard {
		return s.release(ctx, r.ID, ending{reason: hotel.ReasonExpired, booked: booked})
	}
	charge, err := s.settled(ctx, http.MethodGet, hotel.PathCharge, r.ID)
	if refusal, ok := errors.AsType[*peer.Refusal](err); ok && refusal.Status() == http.StatusNotFound {
		charge, err = &hotel.Charge{ID: r.ID, Status: hotel.ChargePending}, nil
	}
	if err != nil {
		return fmt.Errorf("ask what became of a charge: %w", err)
	}
	if approves(charge, r) {
		return s.confirm(ctx, r.ID, charge)
	}
	if charge.Status != hotel.ChargeDeclined && charge.Status != hotel.ChargeVoided && charge.Status != hotel.ChargeRefunded {
		if charge, err = s.settled(ctx, http.MethodPost, hotel.PathChargeVoid, r.ID); err != nil {
			return fmt.Errorf("void a charge: %w", err)
		}
	}
	e := ending{reason: hotel.ReasonUnavailable, charge: charge.Status, last4: charge.Last4, booked: booked}
	switch charge.Status {
	case hotel.ChargeVoided, hotel.ChargeRefunded:
	case hotel.ChargeDeclined:
		e.reason, e.declined = hotel.ReasonDeclined, words(charge.Declined)
	default:
		return fmt.Errorf("the charge is %q after it was voided", charge.Status)
	}
	return s.release(ctx, r.ID, e)
}

// settled calls payments about the charge of a reservation, for ourselves.
func (s *Service) settled(ctx context.Context, method, path, id string) (*hotel.Charge, error) {
	var charge hotel.Charge
	err := s.config.Payments.Do(ctx, peer.Call{
		Method: method, Path: strings.Replace(path, "{charge}", id, 1), Out: &charge, Repeatable: true,
	})
	if err == nil && charge.ID != id {
		err = problem.New(problem.BadGateway, "").Because(fmt.Errorf("payments answered about the charge %.70q when asked about %q", charge.ID, id))
	}
	return &charge, err
}

func codeOf(err error) problem.Code {
	if refusal, ok := errors.AsType[*peer.Refusal](err); ok {
		return refusal.Problem.Code
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Code
	}
	return problem.Internal
}
