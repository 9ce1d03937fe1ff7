package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// find serves GET /v1/hotels.
func (s *Service) find(w http.ResponseWriter, r *http.Request) error {
	q, err := s.asked(r)
	if err != nil {
		return err
	}
	hotels, err := s.inCity(r.Context(), q.city, q.guests)
	if err != nil {
		return err
	}
	answer := q.offers()
	if len(hotels) == 0 {
		return wire.Answer(w, http.StatusOK, answer)
	}
	free, late, err := s.rooms.get(r.Context(), q, func(ctx context.Context) (map[string]int, error) {
		return s.free(ctx, hotels, q.stay)
	})
	if err != nil {
		return err
	}
	if late {
		at := free.at.UTC().Truncate(time.Second)
		answer.AsOf = &at
	}
	for _, h := range hotels {
		if n := free.value[h.ID]; n > 0 {
			answer.Hotels = append(answer.Hotels, hotel.Offer{Hotel: h, Free: n, Total: h.Price.Times(q.stay.Nights())})
		}
	}
	return wire.Answer(w, http.StatusOK, answer)
}

// asked reads the query of a search, the city under the name it has here.
func (s *Service) asked(r *http.Request) (query, error) {
	q, err := parseQuery(r.URL.Query(), hotel.Today(s.config.Now()))
	if err != nil {
		text := err.Error()
		return q, problem.New(problem.Unprocessable, strings.ToUpper(text[:1])+text[1:]+".")
	}
	q.city, err = s.place(r.Context(), q.city)
	return q, err
}

// offers is the answer to a query before there is an offer in it.
func (q query) offers() hotel.Offers {
	return hotel.Offers{City: q.city, Guests: q.guests, Nights: q.stay.Nights(), Stay: q.stay, Hotels: []hotel.Offer{}}
}

// show serves GET /v1/hotels/{hotel}. It asks no other service of ours:
// reservations calls it while search may be waiting for reservations. Of a
// partner's hotel it asks the partner.
func (s *Service) show(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "hotel")
	if !hotel.ValidID(id) {
		return problem.New(problem.NotFound, "")
	}
	if p, theirs := s.partnerOf(id); p != nil {
		h, err := s.partnerHotel(r.Context(), p, theirs)
		if err != nil {
			return err
		}
		return wire.Answer(w, http.StatusOK, h)
	}
	h, err := s.byID(r.Context(), id)
	if errors.Is(err, errNone) {
		return problem.New(problem.NotFound, noSuchHotel)
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, h)
}

const noSuchHotel = "There is no such hotel."

// free asks reservations how many rooms of each hotel are free on every night.
func (s *Service) free(ctx context.Context, hotels []hotel.Hotel, stay hotel.Stay) (map[string]int, error) {
	free := make(map[string]int, len(hotels))
	for part := range slices.Chunk(hotels, hotel.MaxHotelsAsked) {
		ask := hotel.AvailabilityRequest{Stay: stay}
		for _, h := range part {
			ask.Hotels = append(ask.Hotels, hotel.RoomCount{Hotel: h.ID, Rooms: h.Rooms})
		}
		var answer hotel.Availability
		err := s.config.Reservations.Do(ctx, peer.Call{
			Method:     http.MethodPost,
			Path:       hotel.PathAvailability,
			In:         ask,
			Out:        &answer,
			Repeatable: true, // it only asks
		})
		if refusal, ok := errors.AsType[*peer.Refusal](err); ok {
			return nil, problem.New(problem.BadGateway, "").Because(refusal)
		}
		if err != nil {
			return nil, err
		}
		if len(answer.Hotels) != len(part) {
			return nil, problem.New(problem.BadGateway, "").
				Because(fmt.Errorf("reservations answered for %d hotels of %d", len(answer.Hotels), len(part)))
		}
		for _, h := range answer.Hotels {
			free[h.Hotel] = h.Free
		}
	}
	return free, nil
}
