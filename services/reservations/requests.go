package reservations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// checkStay checks what a quote and a reservation have in common.
func (s *Service) checkStay(id string, stay hotel.Stay, guests int) error {
	if !hotel.ValidID(id) {
		return wire.Unprocessable(errors.New("hotel is missing or is not a hotel's id"))
	}
	if err := stay.Check(s.today()); err != nil {
		return wire.Unprocessable(err)
	}
	if err := hotel.CheckGuests(guests); err != nil {
		return wire.Unprocessable(err)
	}
	return nil
}

// checkAsk checks the rest of a reservation.
func checkAsk(ask *hotel.ReservationRequest) error {
	if err := checkNote(ask.Note); err != nil {
		return err
	}
	if err := checkName("the name", ask.Name); err != nil {
		return err
	}
	if ask.Email != "" && !hotel.ValidEmail(ask.Email) {
		return wire.Unprocessable(errors.New("email is not a plain e-mail address such as ada@example.com"))
	}
	if ask.Expect != nil && (ask.Expect.Amount <= 0 || len(ask.Expect.Currency) != 3) {
		return wire.Unprocessable(errors.New("the expected price must be an amount above nothing"))
	}
	if ask.Card == nil {
		return nil
	}
	return checkCard(ask.Card)
}

func checkNote(note string) error {
	if n := utf8.RuneCountInString(note); n > hotel.MaxNote {
		return wire.Unprocessable(fmt.Errorf("note has %d characters: at most %d fit", n, hotel.MaxNote))
	}
	return nil
}

// checkAvailability bounds what another service asks for. Stays in the past are
// no mistake there: midnight may fall between its check and ours.
func (s *Service) checkAvailability(r hotel.AvailabilityRequest) error {
	if len(r.Hotels) == 0 || len(r.Hotels) > hotel.MaxHotelsAsked {
		return wire.Unprocessable(fmt.Errorf("hotels has %d entries: it must have 1 to %d", len(r.Hotels), hotel.MaxHotelsAsked))
	}
	for i, h := range r.Hotels {
		if !hotel.ValidID(h.Hotel) {
			return wire.Unprocessable(fmt.Errorf("hotels[%d].hotel is missing or is not a hotel's id", i))
		}
		if h.Rooms < 0 {
			return wire.Unprocessable(fmt.Errorf("hotels[%d].rooms is %d: it cannot be negative", i, h.Rooms))
		}
	}
	if err := r.Stay.Check(r.From); err != nil {
		return wire.Unprocessable(err)
	}
	return nil
}

// hotel asks search for a hotel that takes that many guests in a room.
func (s *Service) hotel(ctx context.Context, id string, guests int) (*hotel.Hotel, error) {
	var h hotel.Hotel
	// The id was checked: it needs no escaping and cannot leave its segment.
	err := s.config.Search.Do(ctx, peer.Call{
		Method: http.MethodGet,
		Path:   strings.Replace(hotel.PathHotel, "{hotel}", id, 1),
		Out:    &h,
	})
	if refusal, ok := errors.AsType[*peer.Refusal](err); ok {
		if refusal.Status() == http.StatusNotFound {
			return nil, wire.Unprocessable(fmt.Errorf("there is no hotel %q", id))
		}
		return nil, problem.New(problem.BadGateway, "").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if h.ID != id || h.Rooms < 0 || h.Price.Amount <= 0 || h.Price.Currency == "" {
		return nil, problem.New(problem.BadGateway, "").
			Because(fmt.Errorf("search describes hotel %q as %+v", id, h))
	}
	if partner, _ := partnerOf(id); partner != h.Partner {
		return nil, problem.New(problem.BadGateway, "").Because(fmt.Errorf("search describes hotel %q as one of the partner %q", id, h.Partner))
	}
	if h.Partner != "" && s.config.Partners[h.Partner] == nil {
		return nil, wire.Unprocessable(fmt.Errorf("the hotel %q cannot be booked here", id))
	}
	if guests > h.Sleeps {
		return nil, wire.Unprocessable(fmt.Errorf("a room in this hotel takes at most %d guests", h.Sleeps))
	}
	return &h, nil
}
