package reservations

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
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
	free, err := s.free(r.Context(), h, ask.Stay)
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
		Free:   free,
	})
}

// free is how many of a hotel's rooms are free. A partner counts its own, and is
// asked when the room is booked.
func (s *Service) free(ctx context.Context, h *hotel.Hotel, stay hotel.Stay) (int, error) {
	if h.Partner != "" {
		return h.Rooms, nil
	}
	taken, err := taken(ctx, s.store.Read(), []string{h.ID}, stay)
	return max(h.Rooms-taken[h.ID], 0), err
}

// create serves POST /v1/reservations.
func (s *Service) create(w http.ResponseWriter, r *http.Request) error {
	patience := time.NewTimer(s.config.Patience)
	defer patience.Stop()
	principal, err := principal(r)
	if err != nil {
		return err
	}
	if principal.Subject == principal.Client { // nobody would come
		return problem.New(problem.Forbidden, "This needs the token of a guest, not of a service.")
	}
	var ask hotel.ReservationRequest
	if err := wire.Decode(w, r, &ask); err != nil {
		return err
	}
	repeat, err := repeatOf(r.Header, &ask)
	if err != nil {
		return err
	}
	// Before anything is checked that may have changed since it was sent first.
	earlier, err := s.repeated(r.Context(), s.store.Read(), principal.Subject, repeat)
	if err != nil {
		return err
	}
	if earlier != nil {
		return answer(w, earlier)
	}
	b, err := s.prepare(r, principal, &ask)
	if err != nil {
		return err
	}
	b.repeat = repeat
	booked, err := s.book(r.Context(), b, patience.C)
	if err != nil {
		return public(err)
	}
	return answer(w, booked)
}

// prepare checks what is asked for and finds out what it costs. Nothing is
// begun before it is known that the card may be charged in the guest's name.
func (s *Service) prepare(r *http.Request, principal *token.Principal, ask *hotel.ReservationRequest) (*booking, error) {
	if err := s.checkStay(ask.Hotel, ask.Stay, ask.Guests); err != nil {
		return nil, err
	}
	if err := checkAsk(ask); err != nil {
		return nil, err
	}
	b := &booking{card: ask.Card, email: ask.Email}
	paid := &hotel.Payment{Method: hotel.AtHotel}
	if ask.Card != nil {
		if !principal.Has(hotel.ScopeChargesWrite) {
			return nil, problem.New(problem.InsufficientScope, "Paying by card needs the scope "+hotel.ScopeChargesWrite+".")
		}
		var err error
		if b.subject, err = token.Bearer(r.Header); err != nil {
			return nil, err
		}
		if err := s.config.Payments.Authorize(r.Context(), b.subject); err != nil {
			return nil, err
		}
		paid = &hotel.Payment{Method: hotel.ByCard, Status: hotel.ChargePending}
	}
	h, err := s.hotel(r.Context(), ask.Hotel, ask.Guests)
	if err != nil {
		return nil, err
	}
	total := h.Price.Times(ask.Nights())
	if ask.Expect != nil && *ask.Expect != total {
		return nil, problem.New(problem.Conflict, "The price has changed.")
	}
	b.rooms = h.Rooms
	b.Reservation = hotel.Reservation{
		Hotel: h.ID, HotelName: h.Name, City: h.City, Partner: h.Partner, Guest: principal.Subject, Name: ask.Name,
		Stay: ask.Stay, Guests: ask.Guests, Note: ask.Note, Total: total, Payment: paid,
	}
	return b, nil
}

// answer tells a guest what became of a booking.
func answer(w http.ResponseWriter, r *hotel.Reservation) error {
	w.Header().Set("Location", hotel.PathReservations+"/"+r.ID)
	switch r.State {
	case hotel.Held: // somebody sees to it: look again
		return wire.Answer(w, http.StatusAccepted, r)
	case hotel.Released:
		return released(r)
	}
	return wire.Answer(w, http.StatusCreated, r)
}

// released is the problem for a booking that came to nothing.
func released(r *hotel.Reservation) error {
	switch r.Reason {
	case hotel.ReasonDeclined:
		return problem.New(problem.PaymentDeclined, r.Payment.Declined)
	case hotel.ReasonFull:
		return public(errFull)
	case hotel.ReasonPrice:
		return problem.New(problem.Conflict, "The price has changed.")
	case hotel.ReasonPartner:
		return later("The hotel cannot be reached right now. Nothing was booked and nothing was charged.")
	}
	return later("The payment could not be made right now. Nothing was booked, and nothing stays charged.")
}

func later(detail string) *problem.Problem {
	return problem.New(problem.Unavailable, detail).With("Retry-After", "2")
}

// show serves GET /v1/reservations/{reservation}.
func (s *Service) show(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	found, err := find(r.Context(), s.store.Read(), guest, chi.URLParam(r, "reservation"))
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
	if err := s.drop(r.Context(), guest, chi.URLParam(r, "reservation")); err != nil {
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
	named, err := wire.Guest(r)
	if err != nil {
		return err
	}
	if named != guest {
		return problem.New(problem.Forbidden, "These are another guest's reservations.")
	}
	limit, after, err := wire.Paging(r.URL.Query())
	if err != nil {
		return err
	}
	page, err := s.of(r.Context(), guest, after, limit)
	if errors.Is(err, errNone) {
		return wire.Unprocessable(errors.New("after is not the id of one of the guest's reservations"))
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

// principal is who calls.
func principal(r *http.Request) (*token.Principal, error) {
	principal, ok := token.FromContext(r.Context())
	if !ok || principal.Subject == "" {
		return nil, errors.New("a request without a principal got past the guard")
	}
	return principal, nil
}

// guest is the subject of the caller's token.
func guest(r *http.Request) (string, error) {
	principal, err := principal(r)
	if err != nil {
		return "", err
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
