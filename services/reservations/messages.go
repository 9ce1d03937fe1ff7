package reservations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
	"portcullis/services/internal/peer"
)

// The kinds of messages. They name reservations and hold nothing of a guest:
// what is told is read when it is told.
const (
	receipt  = "receipt"  // to reporting: render it
	event    = "event"    // to users: it happened
	refund   = "refund"   // to payments: give back what was paid
	void     = "void"     // to payments: nothing may be charged
	giveBack = "giveback" // to a partner: the room is not wanted
)

// about is the body of a message.
type about struct {
	Reservation string          `json:"reservation"`
	Event       hotel.EventKind `json:"event,omitempty"`
}

func (s *Service) handlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{
		receipt:  s.handler(s.haveReceipt),
		event:    s.handler(s.tellUsers),
		refund:   s.handler(s.giveMoneyBack),
		void:     s.handler(s.voidCharge),
		giveBack: s.handler(s.cancelThere),
	}
}

// handler finds the reservation that a message is about.
func (s *Service) handler(deliver func(context.Context, *hotel.Reservation, about) error) outbox.Handler {
	return func(ctx context.Context, m outbox.Message) error {
		var a about
		if err := m.Decode(&a); err != nil {
			return err
		}
		r, err := byID(ctx, s.store.Read(), a.Reservation)
		if errors.Is(err, errNone) {
			return outbox.Dead(err)
		}
		if err != nil {
			return err
		}
		return deliver(ctx, r, a)
	}
}

// tell has users told what happened.
func (s *Service) tell(ctx context.Context, tx *sql.Tx, id string, kind hotel.EventKind) error {
	return s.outbox.Add(ctx, tx, event, eventID(id, kind), about{Reservation: id, Event: kind})
}

func eventID(id string, kind hotel.EventKind) string { return id + "-" + string(kind) }

// asConfirmed is the reservation as it was when it was confirmed, whatever has
// happened since: a receipt that is asked for twice must be the same.
func asConfirmed(r *hotel.Reservation) *hotel.Reservation {
	c := *r
	c.State, c.Cancelled, c.Receipt = hotel.Confirmed, nil, ""
	if paid := *r.Payment; paid.Method == hotel.ByCard {
		paid.Status = hotel.ChargeApproved
		c.Payment = &paid
	}
	return &c
}

// haveReceipt has reporting render the receipt, and then users told of the
// booking, whose mail has it attached.
func (s *Service) haveReceipt(ctx context.Context, r *hotel.Reservation, _ about) error {
	if r.Guest == "" {
		return nil // was forgotten meanwhile
	}
	on := asConfirmed(r)
	on.Note = "" // is for the hotel
	id := "receipt-" + r.ID
	var made hotel.Document
	err := s.config.Reporting.Do(ctx, peer.Call{
		Method: http.MethodPost,
		Path:   hotel.PathDocuments,
		In:     hotel.DocumentRequest{ID: id, Kind: hotel.Receipt, Guest: r.Guest, Date: hotel.Today(r.Created), Reservation: on},
		Out:    &made,
		Key:    id,
	})
	refusal, refused := errors.AsType[*peer.Refusal](err)
	if err != nil && !refused {
		return err
	}
	if err == nil && made.ID != id {
		return fmt.Errorf("reporting made the document %.70q when asked for %q", made.ID, id)
	}
	if refused { // the guest is told all the same
		id = ""
	}
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		known, err := change(ctx, tx, "UPDATE reservations SET receipt = ? WHERE id = ? AND guest <> ''", id, r.ID)
		if err != nil || !known {
			return err
		}
		return s.tell(ctx, tx, r.ID, hotel.BookingConfirmed)
	})
	if err != nil {
		return fmt.Errorf("store a receipt: %w", err)
	}
	s.outbox.Wake()
	if refused {
		return outbox.Dead(refusal)
	}
	return nil
}

// tellUsers tells what happened. That a booking was confirmed is not news any
// more once it was cancelled: whoever reads both mails may read them in the
// wrong order.
func (s *Service) tellUsers(ctx context.Context, r *hotel.Reservation, a about) error {
	if r.Guest == "" || (a.Event == hotel.BookingConfirmed && r.State == hotel.Cancelled) {
		return nil
	}
	e := hotel.Event{ID: eventID(r.ID, a.Event), Kind: a.Event, At: r.Created, Reservation: *r}
	if a.Event == hotel.BookingCancelled && r.Cancelled != nil {
		e.At = *r.Cancelled
	}
	return final(s.config.Users.Do(ctx, peer.Call{Method: http.MethodPost, Path: hotel.PathEvents, In: e, Key: e.ID}))
}

// giveMoneyBack has payments refund the charge.
func (s *Service) giveMoneyBack(ctx context.Context, r *hotel.Reservation, _ about) error {
	err := s.config.Payments.Do(ctx, peer.Call{
		Method: http.MethodPost, Path: strings.Replace(hotel.PathChargeRefund, "{charge}", r.ID, 1), Key: r.ID,
	})
	if err != nil {
		return final(err)
	}
	return s.charged(ctx, r.ID, hotel.ChargeRefunded)
}

// voidCharge is the end of a hold that expired while payments was away. It is
// never given up: as long as it was not told, somebody may be charged.
func (s *Service) voidCharge(ctx context.Context, r *hotel.Reservation, _ about) error {
	charge, err := s.settled(ctx, http.MethodPost, hotel.PathChargeVoid, r.ID)
	if err != nil {
		return err
	}
	switch charge.Status {
	case hotel.ChargeVoided, hotel.ChargeDeclined, hotel.ChargeRefunded:
		return s.charged(ctx, r.ID, charge.Status)
	}
	return fmt.Errorf("the charge is %q after it was voided", charge.Status)
}

// charged stores how a charge ended.
func (s *Service) charged(ctx context.Context, id string, status hotel.ChargeStatus) error {
	err := s.store.Write(ctx, func(tx *sql.Tx) error {
		_, err := change(ctx, tx, "UPDATE reservations SET charge = ? WHERE id = ? AND state IN ('released', 'cancelled')", string(status), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("store how a charge ended: %w", err)
	}
	return nil
}

// final gives a message up that its receiver refused: it would do so again.
func final(err error) error {
	if _, refused := errors.AsType[*peer.Refusal](err); refused {
		return outbox.Dead(err)
	}
	return err
}
