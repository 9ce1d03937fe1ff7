package booking

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

// at fills a path's parameters, escaped: name, value, name, value.
func at(pattern string, values ...string) string {
	for i := 0; i+1 < len(values); i += 2 {
		pattern = strings.Replace(pattern, "{"+values[i]+"}", url.PathEscape(values[i+1]), 1)
	}
	return pattern
}

// A page is given up before the gateway gives us up, so that the guest reads our
// words and not its.
const (
	readTime     = 4 * time.Second
	withdrawTime = 8 * time.Second
)

// wish is what a guest looks for.
type wish struct {
	City string
	hotel.Stay
	Guests int
}

func (w wish) values() url.Values {
	return url.Values{"city": {w.City}, "from": {w.From.String()}, "to": {w.To.String()}, "guests": {strconv.Itoa(w.Guests)}}
}

// Query is the wish without the city, as links between pages carry it.
func (w wish) Query() template.URL {
	q := w.values()
	q.Del("city")
	return template.URL(q.Encode()) //nolint:gosec // encoded; a plain string would be escaped once more, as the value of one parameter
}

// Search is the address of the search for the wish.
func (w wish) Search() string { return "/search?" + w.values().Encode() }

func (s *Service) offers(ctx context.Context, subject string, w wish) (hotel.Offers, error) {
	var found hotel.Offers
	err := s.config.Search.Do(ctx, peer.Call{
		Method: http.MethodGet, Path: hotel.PathHotels + "?" + w.values().Encode(), Out: &found, Subject: subject,
	})
	return found, err
}

func (s *Service) partners(ctx context.Context, subject string) ([]hotel.Partner, error) {
	var found hotel.Partners
	err := s.config.Search.Do(ctx, peer.Call{Method: http.MethodGet, Path: hotel.PathPartners, Out: &found, Subject: subject})
	if refused(err, http.StatusNotFound) {
		return nil, nil // a search that knows no partners
	}
	return found.Partners, err
}

func (s *Service) partnerOffers(ctx context.Context, subject, partner string, w wish) (hotel.Offers, error) {
	q := w.values()
	q.Set("partner", partner)
	var found hotel.Offers
	err := s.config.Search.Do(ctx, peer.Call{
		Method: http.MethodGet, Path: hotel.PathPartnerOffers + "?" + q.Encode(), Out: &found, Subject: subject,
	})
	return found, err
}

// house returns a hotel; one that is not there is a notice.
func (s *Service) house(ctx context.Context, subject, id string) (hotel.Hotel, error) {
	var h hotel.Hotel
	gone := &notice{
		status: http.StatusNotFound, Title: "We do not know this hotel",
		Text: "It may have closed, or the link has a mistake in it.", Advice: "Search for another one; there are many good ones.",
	}
	if !hotel.ValidID(id) {
		return h, gone
	}
	err := s.config.Search.Do(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathHotel, "hotel", id), Out: &h, Subject: subject})
	if refused(err, http.StatusNotFound) {
		return h, gone
	}
	if err == nil && h.ID != id {
		err = problem.New(problem.BadGateway, "").Because(fmt.Errorf("search describes %q as %q", id, h.ID))
	}
	return h, err
}

// offer returns what a hotel offers for a stay; nil when no room is free.
func (s *Service) offer(ctx context.Context, subject string, h hotel.Hotel, w wish) (*hotel.Offer, error) {
	w.City = h.City
	var found hotel.Offers
	var err error
	if h.Partner != "" {
		found, err = s.partnerOffers(ctx, subject, h.Partner, w)
	} else {
		found, err = s.offers(ctx, subject, w)
	}
	if err != nil {
		return nil, err
	}
	for i := range found.Hotels {
		if found.Hotels[i].ID == h.ID {
			return &found.Hotels[i], nil
		}
	}
	return nil, nil
}

func (s *Service) reserve(ctx context.Context, subject, key string, q hotel.ReservationRequest) (hotel.Reservation, error) {
	var made hotel.Reservation
	err := s.config.Reservations.Do(ctx, peer.Call{
		Method: http.MethodPost, Path: hotel.PathReservations, In: q, Out: &made, Subject: subject, Key: key,
	})
	if err == nil && !hotel.ValidID(made.ID) {
		err = problem.New(problem.BadGateway, "").Because(errors.New("reservations made a reservation without an id"))
	}
	return made, err
}

func (s *Service) reservation(ctx context.Context, subject, id string) (hotel.Reservation, error) {
	var found hotel.Reservation
	gone := &notice{
		status: http.StatusNotFound, Title: "We do not find this booking",
		Text: "It may be somebody else's, or the link has a mistake in it.", Advice: "All of your bookings are under My bookings.",
	}
	if !hotel.ValidID(id) {
		return found, gone
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	err := s.config.Reservations.Do(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathReservation, "reservation", id), Out: &found, Subject: subject})
	if refused(err, http.StatusNotFound) {
		return found, gone
	}
	if err == nil && found.ID != id {
		err = problem.New(problem.BadGateway, "").Because(fmt.Errorf("reservations answered for %q with %q", id, found.ID))
	}
	return found, err
}

func (s *Service) reservationsOf(ctx context.Context, subject, guest, after string, limit int) (hotel.Reservations, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		q.Set("after", after)
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	var page hotel.Reservations
	err := s.config.Reservations.Do(ctx, peer.Call{
		Method: http.MethodGet, Path: at(hotel.PathGuestReservations, "guest", guest) + "?" + q.Encode(), Out: &page, Subject: subject,
	})
	return page, err
}

func (s *Service) withdraw(ctx context.Context, subject, id string) error {
	ctx, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	return s.config.Reservations.Do(ctx, peer.Call{Method: http.MethodDelete, Path: at(hotel.PathReservation, "reservation", id), Subject: subject})
}

// payments are what the guest paid.
func (s *Service) payments(ctx context.Context, subject, guest string) ([]hotel.Charge, error) {
	var found hotel.Charges
	err := s.config.Payments.Do(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathGuestCharges, "guest", guest), Out: &found, Subject: subject})
	return found.Charges, err
}

// document is the PDF of a document; the caller closes it.
func (s *Service) document(ctx context.Context, subject, id string) (io.ReadCloser, error) {
	return s.config.Reporting.Open(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathDocument, "document", id), Subject: subject}, "application/pdf")
}

func (s *Service) proof(ctx context.Context, document, code string) (hotel.Proof, error) {
	var p hotel.Proof
	err := s.config.Reporting.Do(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathProof, "document", document, "code", code), Out: &p})
	return p, err
}

// introduce gives a guest who has no profile yet one with the name of a booking
// and the address of the account: the mails about the booking go there.
func (s *Service) introduce(ctx context.Context, subject, guest, name, email string) error {
	_, found, err := s.guestProfile(ctx, subject, guest)
	if err != nil || found {
		return err
	}
	return s.updateProfile(ctx, subject, guest, hotel.ProfileUpdate{Name: name, Email: email})
}

// guestProfile is a guest's profile; found is false before there is one.
func (s *Service) guestProfile(ctx context.Context, subject, guest string) (p hotel.Profile, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	err = s.config.Users.Do(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathProfile, "guest", guest), Out: &p, Subject: subject})
	if refused(err, http.StatusNotFound) {
		return p, false, nil
	}
	return p, err == nil, err
}

func (s *Service) updateProfile(ctx context.Context, subject, guest string, p hotel.ProfileUpdate) error {
	return s.config.Users.Do(ctx, peer.Call{Method: http.MethodPut, Path: at(hotel.PathProfile, "guest", guest), In: p, Subject: subject})
}

// everything is all that the services hold of a guest, as JSON; the caller
// closes it.
func (s *Service) everything(ctx context.Context, subject, guest string) (io.ReadCloser, error) {
	return s.config.Users.Open(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathExport, "guest", guest), Subject: subject}, "application/json")
}

func (s *Service) forget(ctx context.Context, subject, guest string) (hotel.Removal, error) {
	var r hotel.Removal
	err := s.config.Users.Do(ctx, peer.Call{
		Method: http.MethodPost, Path: at(hotel.PathRemoval, "guest", guest), Out: &r, Subject: subject, Repeatable: true,
	})
	return r, err
}

func (s *Service) forgetting(ctx context.Context, subject, guest string) (hotel.Removal, error) {
	var r hotel.Removal
	err := s.config.Users.Do(ctx, peer.Call{Method: http.MethodGet, Path: at(hotel.PathRemoval, "guest", guest), Out: &r, Subject: subject})
	return r, err
}
