package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"portcullis/services/hotel"
)

// maxFound bounds one answer. No city of ours has that many hotels.
const maxFound = 100

// errNone says that there is no such hotel.
var errNone = errors.New("there is no such hotel")

const selectHotel = `SELECT id, name, city, country, about, rooms, sleeps, amount, currency FROM hotels `

// inCity returns the hotels of a city whose rooms take that many guests,
// cheapest first. The city's case does not matter.
func (s *Service) inCity(ctx context.Context, city string, guests int) ([]hotel.Hotel, error) {
	rows, err := s.store.Read().QueryContext(ctx,
		selectHotel+"WHERE city = ? COLLATE NOCASE AND sleeps >= ? ORDER BY amount, id LIMIT ?", city, guests, maxFound)
	if err != nil {
		return nil, fmt.Errorf("find hotels: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found []hotel.Hotel
	for rows.Next() {
		h, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("find hotels: %w", err)
		}
		found = append(found, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find hotels: %w", err)
	}
	return found, nil
}

// byID returns one hotel, or errNone.
func (s *Service) byID(ctx context.Context, id string) (*hotel.Hotel, error) {
	h, err := scan(s.store.Read().QueryRowContext(ctx, selectHotel+"WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNone
	}
	if err != nil {
		return nil, fmt.Errorf("find a hotel: %w", err)
	}
	return &h, nil
}

func scan(row interface{ Scan(...any) error }) (h hotel.Hotel, err error) {
	err = row.Scan(&h.ID, &h.Name, &h.City, &h.Country, &h.About, &h.Rooms, &h.Sleeps, &h.Price.Amount, &h.Price.Currency)
	return h, err
}
