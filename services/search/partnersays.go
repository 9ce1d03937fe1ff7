package search

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
)

// The bounds of what a partner may say of a hotel. Beyond them it is no offer
// but a mistake, or worse: it is shown to guests and booked for money.
const (
	maxSaidName  = 100         // runes
	maxSaidAbout = 1000        // runes
	maxSaidRooms = 10_000      // in a hotel
	maxSaidSleep = 20          // in a room
	maxSaidPrice = 100_000_000 // minor units, for a night
)

// said is a hotel in a partner's words.
type said struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	City    string      `json:"city"`
	Country string      `json:"country"`
	About   string      `json:"about"`
	Rooms   int         `json:"rooms"`
	Sleeps  int         `json:"sleeps"`
	Free    int         `json:"free"`
	Price   hotel.Money `json:"price"`
	Total   hotel.Money `json:"total"`
}

// readOffers reads a partner's offers, cheapest first. Single ones that make no
// sense are left out, which wrong tells of; when none makes sense, or the whole
// cannot be read, that is an error.
func readOffers(partner string, reply peer.Reply, q query) (offers []hotel.Offer, wrong, err error) {
	var answer struct {
		Hotels []json.RawMessage `json:"hotels"`
	}
	if err := reply.Decode(&answer); err != nil {
		return nil, nil, err
	}
	if answer.Hotels == nil {
		return nil, nil, errors.New("its answer has no hotels, not even an empty list")
	}
	seen, bad := map[string]bool{}, 0
	for _, raw := range answer.Hotels {
		o, err := readOffer(partner, raw, q)
		if err == nil && seen[o.ID] {
			err = fmt.Errorf("hotel %q comes twice", o.ID)
		}
		if err != nil {
			if bad++; wrong == nil {
				wrong = err // one is enough to find the cause
			}
			continue
		}
		seen[o.ID] = true
		if o.Free > 0 {
			offers = append(offers, o)
		}
	}
	if bad > 0 {
		wrong = fmt.Errorf("%d of %d make no sense, the first: %w", bad, len(answer.Hotels), wrong)
	}
	if bad > 0 && len(seen) == 0 {
		return nil, nil, wrong
	}
	slices.SortFunc(offers, func(a, b hotel.Offer) int {
		return cmp.Or(cmp.Compare(a.Price.Amount, b.Price.Amount), cmp.Compare(a.ID, b.ID))
	})
	return offers[:min(len(offers), maxFound)], wrong, nil
}

// readOffer reads one offer and holds it to the question.
func readOffer(partner string, raw json.RawMessage, q query) (o hotel.Offer, err error) {
	var h said
	if err := json.Unmarshal(raw, &h); err != nil {
		return o, err
	}
	if h.Rooms == 0 {
		h.Rooms = max(h.Free, 1)
	}
	if o.Hotel, err = h.hotel(partner); err != nil {
		return o, err
	}
	o.Free, o.Total = h.Free, h.Total
	switch {
	case folded(h.City) != folded(q.city):
		return o, fmt.Errorf("hotel %q is in another city", o.ID)
	case h.Sleeps < q.guests:
		return o, fmt.Errorf("hotel %q has no room for %d guests", o.ID, q.guests)
	case h.Free < 0 || h.Free > h.Rooms:
		return o, fmt.Errorf("hotel %q has %d rooms free of %d", o.ID, h.Free, h.Rooms)
	case h.Total != h.Price.Times(q.stay.Nights()):
		// Who books pays the nights' price: nobody is shown another one.
		return o, fmt.Errorf("hotel %q: %d nights cost something else than the total", o.ID, q.stay.Nights())
	}
	return o, nil
}

// readHotel reads the page of the hotel with an id.
func readHotel(partner, id string, reply peer.Reply) (*hotel.Hotel, error) {
	var h said
	if err := reply.Decode(&h); err != nil {
		return nil, err
	}
	if h.ID != id {
		return nil, fmt.Errorf("asked for hotel %q it showed %.80q", id, h.ID)
	}
	h.Rooms = max(h.Rooms, 1) // not all chains tell
	read, err := h.hotel(partner)
	return &read, err
}

// hotel is the hotel as we show it, once all is in its bounds.
func (h said) hotel(partner string) (hotel.Hotel, error) {
	id := partner + "." + h.ID
	wrong := ""
	switch {
	case !hotel.ValidID(h.ID) || !hotel.ValidID(id):
		return hotel.Hotel{}, fmt.Errorf("%.80q cannot be the id of a hotel", h.ID)
	case !plain(h.Name, maxSaidName):
		wrong = "name"
	case !plain(h.City, maxCity):
		wrong = "city"
	case h.About != "" && !plain(h.About, maxSaidAbout):
		wrong = "description"
	case !capitals(h.Country, 2):
		wrong = "country"
	case h.Rooms < 1 || h.Rooms > maxSaidRooms:
		wrong = "number of rooms"
	case h.Sleeps < 1 || h.Sleeps > maxSaidSleep:
		wrong = "number of guests"
	case h.Price.Amount < 1 || h.Price.Amount > maxSaidPrice || !isCurrency(h.Price.Currency):
		wrong = "price"
	}
	if wrong != "" {
		return hotel.Hotel{}, fmt.Errorf("the %s of hotel %q makes no sense", wrong, id)
	}
	return hotel.Hotel{
		ID: id, Name: h.Name, City: h.City, Country: h.Country, About: h.About,
		Rooms: h.Rooms, Sleeps: h.Sleeps, Price: h.Price, Partner: partner,
	}, nil
}

// plain reports whether a text can be shown as it stands: some letters, nothing
// that breaks lines, turns the direction of what follows or cannot be seen.
func plain(text string, most int) bool {
	return strings.TrimSpace(text) != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || r == utf8.RuneError })
}

// isCurrency keeps out codes that nothing can be charged in, and of which no
// receipt can be made.
func isCurrency(code string) bool {
	unit, err := currency.ParseISO(code)
	return err == nil && unit.String() == code && unit != currency.XXX && unit != currency.XTS
}

func capitals(text string, n int) bool {
	return len(text) == n && !strings.ContainsFunc(text, func(r rune) bool { return r < 'A' || r > 'Z' })
}
