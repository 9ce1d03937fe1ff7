package reservations

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

const (
	defaultPage = 50
	maxPage     = 100
)

// quote serves POST /v1/quotes.
func (s *Service) quote(w http.ResponseWriter, r *http.Request) error {
	var ask hotel.QuoteRequest
	if err := wire.Decode(w, r, &ask); err != nil {
		return err
	}
	if err := s.checkStay(ask.Hotel, ask.Stay, ask.Guests); err != nil {
		return err
	}
	h, err := s.hotel(r.Context(), ask.Hotel, ask.Guests)
	if err != nil {
		return err
	}
	taken, err := taken(r.Context(), s.store.Read(), []string{h.ID}, ask.Stay)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, hotel.Quote{
		Hotel:  h.ID,
		Guests: ask.Guests,
		Nights: ask.Nights(),
		Stay:   ask.Stay,
		Price:  h.Price,
		Total:  h.Price.Times(ask.Nights()),
		Free:   max(h.Rooms-taken[h.ID], 0),
	})
}

// create serves POST /v1/reservations.
func (s *Service) create(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	var ask hotel.ReservationRequest
	if err := wire.Decode(w, r, &ask); err != nil {
		return err
	}
	if err := s.checkStay(ask.Hotel, ask.Stay, ask.Guests); err != nil {
		return err
	}
	if err := checkNote(ask.Note); err != nil {
		return err
	}
	h, err := s.hotel(r.Context(), ask.Hotel, ask.Guests)
	if err != nil {
		return err
	}
	booked := hotel.Reservation{
		Hotel:  h.ID,
		Guest:  guest,
		Stay:   ask.Stay,
		Guests: ask.Guests,
		Note:   ask.Note,
		Total:  h.Price.Times(ask.Nights()),
	}
	if err := s.book(r.Context(), &booked, h.Rooms); err != nil {
		return public(err)
	}
	w.Header().Set("Location", hotel.PathReservations+"/"+booked.ID)
	return wire.Answer(w, http.StatusCreated, booked)
}

// show serves GET /v1/reservations/{reservation}.
func (s *Service) show(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	found, err := s.find(r.Context(), guest, chi.URLParam(r, "reservation"))
	if err != nil {
		return public(err)
	}
	return wire.Answer(w, http.StatusOK, found)
}

// cancel serves DELETE /v1/reservations/{reservation}.
func (s *Service) cancel(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	if err := s.release(r.Context(), guest, chi.URLParam(r, "reservation")); err != nil {
		return public(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// list serves GET /v1/guests/{guest}/reservations.
func (s *Service) list(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	named := chi.URLParam(r, "guest")
	if r.URL.RawPath != "" { // chi then routes, and cuts, the escaped path
		if named, err = url.PathUnescape(named); err != nil {
			return problem.New(problem.BadRequest, "").Because(err)
		}
	}
	if named != guest {
		return problem.New(problem.Forbidden, "These are another guest's reservations.")
	}
	limit, after, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	page, err := s.of(r.Context(), guest, after, limit)
	if errors.Is(err, errNone) {
		return unprocessable(errors.New("after is not the id of one of the guest's reservations"))
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, page)
}

// availability serves POST /v1/availability, for other services.
func (s *Service) availability(w http.ResponseWriter, r *http.Request) error {
	var ask hotel.AvailabilityRequest
	if err := wire.Decode(w, r, &ask); err != nil {
		return err
	}
	if err := s.checkAvailability(ask); err != nil {
		return err
	}
	ids := make([]string, 0, len(ask.Hotels))
	for _, h := range ask.Hotels {
		ids = append(ids, h.Hotel)
	}
	taken, err := taken(r.Context(), s.store.Read(), ids, ask.Stay)
	if err != nil {
		return err
	}
	answer := hotel.Availability{Hotels: make([]hotel.FreeRooms, 0, len(ask.Hotels))}
	for _, h := range ask.Hotels {
		answer.Hotels = append(answer.Hotels, hotel.FreeRooms{Hotel: h.Hotel, Free: max(h.Rooms-taken[h.Hotel], 0)})
	}
	return wire.Answer(w, http.StatusOK, answer)
}

// guest is the subject of the caller's token.
func guest(r *http.Request) (string, error) {
	principal, ok := token.FromContext(r.Context())
	if !ok || principal.Subject == "" {
		return "", errors.New("a request without a principal got past the guard")
	}
	return principal.Subject, nil
}

// public turns what storage says into what the caller may know. A reservation
// of somebody else's does not exist for them.
func public(err error) error {
	switch {
	case errors.Is(err, errFull):
		return problem.New(problem.Conflict, "No room is free on every night of the stay.")
	case errors.Is(err, errNone):
		return problem.New(problem.NotFound, "")
	}
	return err
}

// paging reads limit and after.
func paging(q url.Values) (limit int, after string, err error) {
	for _, name := range []string{"limit", "after"} {
		if len(q[name]) > 1 {
			return 0, "", unprocessable(fmt.Errorf("%s is given more than once", name))
		}
	}
	limit = defaultPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return 0, "", unprocessable(fmt.Errorf("limit must be a number from 1 to %d", maxPage))
		}
	}
	after = q.Get("after")
	if after != "" && !hotel.ValidID(after) {
		return 0, "", unprocessable(errors.New("after is not the id of one of the guest's reservations"))
	}
	return limit, after, nil
}
