package reservations

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"portcullis/services/hotel"
)

// querier is what reads run on: the pool, or a transaction that will write.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// taken tells for each hotel how many rooms are taken on the fullest night of
// the stay. A hotel without reservations has no entry.
func taken(ctx context.Context, q querier, hotels []string, stay hotel.Stay) (map[string]int, error) {
	ids, err := json.Marshal(hotels)
	if err != nil {
		return nil, fmt.Errorf("count taken rooms: %w", err)
	}
	rows, err := q.QueryContext(ctx, `
		SELECT hotel, MAX(rooms) FROM (
			SELECT hotel, COUNT(*) AS rooms FROM nights
			WHERE hotel IN (SELECT value FROM json_each(?)) AND night >= ? AND night < ?
			GROUP BY hotel, night)
		GROUP BY hotel`, string(ids), stay.From.String(), stay.To.String())
	if err != nil {
		return nil, fmt.Errorf("count taken rooms: %w", err)
	}
	defer func() { _ = rows.Close() }()
	result := make(map[string]int, len(hotels))
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("count taken rooms: %w", err)
		}
		result[id] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count taken rooms: %w", err)
	}
	return result, nil
}

const selectReservation = `SELECT id, guest, hotel, arrival, departure, guests, note, state, amount, currency, created, cancelled,
	hotel_name, city, partner, name, method, charge, last4, declined, reason, receipt FROM reservations `

// find returns the guest's reservation, or errNone.
func find(ctx context.Context, q querier, guest, id string) (*hotel.Reservation, error) {
	return only(page(ctx, q, selectReservation+"WHERE id = ? AND guest = ?", id, guest))
}

// byID returns the reservation, whosever it is, or errNone.
func byID(ctx context.Context, q querier, id string) (*hotel.Reservation, error) {
	return only(page(ctx, q, selectReservation+"WHERE id = ?", id))
}

// only returns the one reservation of a page, or errNone.
func only(page []hotel.Reservation, err error) (*hotel.Reservation, error) {
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, errNone
	}
	return &page[0], nil
}

// of returns at most limit of the guest's reservations, newest first, beginning
// after the one with the id after if that is not empty. It returns errNone when
// the guest has no reservation with that id.
func (s *Service) of(ctx context.Context, guest, after string, limit int) (*hotel.Reservations, error) {
	before := int64(math.MaxInt64)
	if after != "" {
		err := s.store.Read().QueryRowContext(ctx, "SELECT seq FROM reservations WHERE id = ? AND guest = ?", after, guest).Scan(&before)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, errNone
		}
		if err != nil {
			return nil, fmt.Errorf("find a reservation: %w", err)
		}
	}
	// One more than asked for reports whether there is a next page.
	page, err := page(ctx, s.store.Read(), selectReservation+"WHERE guest = ? AND seq < ? ORDER BY seq DESC LIMIT ?", guest, before, limit+1)
	if err != nil {
		return nil, err
	}
	result := &hotel.Reservations{Reservations: page}
	if len(page) > limit {
		result.Reservations = page[:limit]
		result.Next = page[limit-1].ID
	}
	return result, nil
}

func page(ctx context.Context, q querier, query string, args ...any) ([]hotel.Reservation, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	defer func() { _ = rows.Close() }()
	page := []hotel.Reservation{} // an empty list on the wire, not null
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read reservations: %w", err)
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	return page, nil
}

func scan(rows *sql.Rows) (hotel.Reservation, error) {
	var r hotel.Reservation
	var arrival, departure, state string
	var created int64
	var cancelled sql.NullInt64
	var paid hotel.Payment
	err := rows.Scan(&r.ID, &r.Guest, &r.Hotel, &arrival, &departure, &r.Guests, &r.Note, &state,
		&r.Total.Amount, &r.Total.Currency, &created, &cancelled,
		&r.HotelName, &r.City, &r.Partner, &r.Name, &paid.Method, &paid.Status, &paid.Last4, &paid.Declined, &r.Reason, &r.Receipt)
	if err != nil {
		return r, err
	}
	if r.From, err = hotel.ParseDate(arrival); err != nil {
		return r, err
	}
	if r.To, err = hotel.ParseDate(departure); err != nil {
		return r, err
	}
	r.State = hotel.State(state)
	r.Payment = &paid
	r.Created = time.UnixMilli(created).UTC()
	if cancelled.Valid {
		at := time.UnixMilli(cancelled.Int64).UTC()
		r.Cancelled = &at
	}
	return r, nil
}
