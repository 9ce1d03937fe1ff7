package users

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"portcullis/services/hotel"
)

// Who is told of an event. They are the kinds of the outbox too, and the key is
// the event's id.
const (
	toGuest = "guest"
	toHotel = "hotel"
)

// state is where a letter stands.
type state string

const (
	parked      state = "parked"    // until the guest has a profile with an address
	waiting     state = "waiting"   // in the outbox
	isSent      state = "sent"      // the mail server has taken it
	isRefused   state = "refused"   // the mail server never will
	isOvertaken state = "overtaken" // the booking was cancelled before
	isLate      state = "late"      // the stay was over before it could be sent
	isForgotten state = "forgotten" // the guest was removed
)

// told is one letter with what it is about.
type told struct {
	event, recipient string
	kind             hotel.EventKind
	guest            string
	received         time.Time
	state            state
	about            hotel.Reservation
}

// addLetter notes a letter, and puts it into the outbox if it can go.
func (s *Service) addLetter(ctx context.Context, tx *sql.Tx, event, recipient string, is state) error {
	if _, err := tx.ExecContext(ctx, "INSERT INTO letters (event, recipient, state, changed) VALUES (?, ?, ?, ?)",
		event, recipient, string(is), s.now().UnixMilli()); err != nil {
		return fmt.Errorf("note a letter: %w", err)
	}
	if is != waiting {
		return nil
	}
	return s.outbox.Add(ctx, tx, recipient, event, struct{}{})
}

// unpark lets the letters go that waited for this guest's address.
func (s *Service) unpark(ctx context.Context, tx *sql.Tx, guest string) error {
	rows, err := tx.QueryContext(ctx, `SELECT l.event FROM letters l JOIN events e ON e.id = l.event
		WHERE e.guest = ? AND l.recipient = ? AND l.state = ?`, guest, toGuest, string(parked))
	if err != nil {
		return fmt.Errorf("look for letters without an address: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var events []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("look for letters without an address: %w", err)
		}
		events = append(events, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("look for letters without an address: %w", err)
	}
	for _, id := range events {
		if _, err := tx.ExecContext(ctx, "UPDATE letters SET state = ?, changed = ? WHERE event = ? AND recipient = ?",
			string(waiting), s.now().UnixMilli(), id, toGuest); err != nil {
			return fmt.Errorf("address a letter: %w", err)
		}
		if err := s.outbox.Add(ctx, tx, toGuest, id, struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

// letter reads one, or errNone.
func (s *Service) letter(ctx context.Context, event, recipient string) (told, error) {
	t := told{event: event, recipient: recipient}
	var kind, is string
	var received int64
	var body []byte
	err := s.store.Read().QueryRowContext(ctx, `SELECT e.kind, e.guest, e.received, e.body, l.state
		FROM letters l JOIN events e ON e.id = l.event WHERE l.event = ? AND l.recipient = ?`, event, recipient).
		Scan(&kind, &t.guest, &received, &body, &is)
	if errors.Is(err, sql.ErrNoRows) {
		return t, errNone
	}
	if err != nil {
		return t, fmt.Errorf("read a letter: %w", err)
	}
	t.kind, t.state, t.received = hotel.EventKind(kind), state(is), time.UnixMilli(received)
	if t.state != waiting {
		return t, nil
	}
	if err := json.Unmarshal(body, &t.about); err != nil {
		return t, fmt.Errorf("read what a letter is about: %w", err)
	}
	return t, nil
}

// end stores what became of a letter that waited, and drops what its event says
// when no letter needs it any more.
func (s *Service) end(ctx context.Context, event, recipient string, is state) error {
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE letters SET state = ?, changed = ? WHERE event = ? AND recipient = ? AND state = ?",
			string(is), s.now().UnixMilli(), event, recipient, string(waiting)); err != nil {
			return fmt.Errorf("store what became of a letter: %w", err)
		}
		return settle(ctx, tx, event)
	})
}

// settle drops what an event says when no letter needs it any more.
func settle(ctx context.Context, tx *sql.Tx, event string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE events SET body = x'' WHERE id = ?1
		AND NOT EXISTS (SELECT 1 FROM letters WHERE event = ?1 AND state IN ('parked', 'waiting'))`, event); err != nil {
		return fmt.Errorf("drop what was told: %w", err)
	}
	return nil
}

// before reports whether the guest (or the hotel) waits to hear of the same
// booking's confirmation, whose cancellation t is.
func (s *Service) before(ctx context.Context, t told) (event string, err error) {
	err = s.store.Read().QueryRowContext(ctx, `SELECT e.id FROM events e JOIN letters l ON l.event = e.id AND l.recipient = ?
		WHERE e.reservation = ? AND e.kind = ? AND l.state = ? LIMIT 1`,
		t.recipient, t.about.ID, string(hotel.BookingConfirmed), string(waiting)).Scan(&event)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for what is to be told first: %w", err)
	}
	return event, nil
}

// forget drops what is kept of a guest: the profile, the letters that wait, and
// the guest's part in what the hotel is still to be told, for it must hear that a
// room is free.
func (s *Service) forget(ctx context.Context, tx *sql.Tx, guest string) error {
	now := s.now().UnixMilli()
	for _, q := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM profiles WHERE guest = ?", []any{guest}},
		{"DELETE FROM outbox WHERE kind = ? AND key IN (SELECT id FROM events WHERE guest = ?)", []any{toGuest, guest}},
		{`UPDATE letters SET state = ?, changed = ? WHERE recipient = ? AND state IN ('parked', 'waiting')
			AND event IN (SELECT id FROM events WHERE guest = ?)`, []any{string(isForgotten), now, toGuest, guest}},
	} {
		if _, err := tx.ExecContext(ctx, q.query, q.args...); err != nil {
			return fmt.Errorf("forget a guest: %w", err)
		}
	}
	kept, err := bodies(ctx, tx, guest)
	if err != nil {
		return err
	}
	for id, body := range kept {
		if len(body) > 0 {
			var about hotel.Reservation
			if err := json.Unmarshal(body, &about); err != nil {
				return fmt.Errorf("read what was told: %w", err)
			}
			if body, err = json.Marshal(anonymous(about)); err != nil {
				return fmt.Errorf("write what was told: %w", err)
			}
		}
		if _, err := tx.ExecContext(ctx, "UPDATE events SET guest = '', body = ? WHERE id = ?", body, id); err != nil {
			return fmt.Errorf("forget a guest: %w", err)
		}
		if err := settle(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// bodies are the events of a guest, by id.
func bodies(ctx context.Context, tx *sql.Tx, guest string) (map[string][]byte, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, body FROM events WHERE guest = ?", guest)
	if err != nil {
		return nil, fmt.Errorf("read what was told: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := map[string][]byte{}
	for rows.Next() {
		var id string
		body := []byte{}
		if err := rows.Scan(&id, &body); err != nil {
			return nil, fmt.Errorf("read what was told: %w", err)
		}
		all[id] = append([]byte{}, body...)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}
