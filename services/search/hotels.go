package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"portcullis/services/hotel"
)

// maxFound bounds one answer. No city of ours has that many hotels.
const maxFound = 100

// errNone says that there is no such hotel.
var errNone = errors.New("there is no such hotel")

const selectHotel = `SELECT id, name, city, country, about, rooms, sleeps, amount, currency FROM hotels `

// place returns the name under which a city is known here. Case and accents do
// not matter, and it may be called what its people call it: Wien, Αθήνα. One that
// is not known keeps the name it was given.
func (s *Service) place(ctx context.Context, city string) (string, error) {
	known := city
	err := s.store.Read().QueryRowContext(ctx, "SELECT city FROM places WHERE name = ?", folded(city)).Scan(&known)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("find a city: %w", err)
	}
	return known, nil
}

// folded is a name without case, accents and needless space.
func folded(name string) string {
	bare := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(name))
	return strings.Join(strings.Fields(bare), " ")
}

// inCity returns the hotels of a city whose rooms take that many guests,
// cheapest first. The case of ASCII letters does not matter.
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
