package booking

import (
	"errors"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
)

// perPage is how many bookings one page lists.
const perPage = 20

type bookingsData struct {
	// Coming are confirmed or being confirmed and not over; Past the rest.
	Coming, Past []hotel.Reservation
	Older        string
	First        bool
}

// bookings serves GET /bookings.
func (s *Service) bookings(v *visit) error {
	subject, err := v.token()
	if err != nil {
		return err
	}
	q, err := v.query()
	if err != nil {
		return err
	}
	after := q["after"]
	if after != "" && !hotel.ValidID(after) {
		return errForm
	}
	page, err := s.reservationsOf(v.r.Context(), subject, v.who.Guest, after, perPage)
	if err != nil {
		return err
	}
	d := bookingsData{First: after == ""}
	for _, r := range page.Reservations {
		if (r.State == hotel.Confirmed || r.State == hotel.Held) && r.To >= v.today() {
			d.Coming = append(d.Coming, r)
		} else if r.State != hotel.Released {
			d.Past = append(d.Past, r)
		}
	}
	if page.Next != "" {
		d.Older = bookingsPath + "?after=" + page.Next
	}
	return v.show(http.StatusOK, "bookings", view{Title: "My bookings", Kind: "bookings", Data: d})
}

type bookingData struct {
	hotel.Reservation
	// Booked says that it was made just now.
	Booked bool
	// CanCancel is true before the day of arrival has passed.
	CanCancel bool
	// Withdrawn says that it was cancelled just now.
	Withdrawn bool
}

// mine is the reservation that the path names.
func (v *visit) mine() (hotel.Reservation, string, error) {
	subject, err := v.token()
	if err != nil {
		return hotel.Reservation{}, "", err
	}
	r, err := v.s.reservation(v.r.Context(), subject, chi.URLParam(v.r, "reservation"))
	if err == nil && r.HotelName == "" { // one of the first contract, which had no names
		if h, e := v.s.house(v.r.Context(), subject, r.Hotel); e == nil {
			r.HotelName, r.City = h.Name, h.City
		} else {
			r.HotelName = r.Hotel
		}
	}
	return r, subject, err
}

func (v *visit) canCancel(r hotel.Reservation) bool {
	return r.State == hotel.Confirmed && r.From >= v.today()
}

// booking serves GET /bookings/{reservation}. While the payment is under way it
// is a page that loads itself again.
func (s *Service) booking(v *visit) error {
	r, _, err := v.mine()
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	d := bookingData{Reservation: r, Booked: q.Has("booked"), Withdrawn: q.Has("cancelled"), CanCancel: v.canCancel(r)}
	w := view{Title: r.HotelName, Kind: "booking", Data: d}
	switch r.State {
	case hotel.Held:
		w.Title, w.Kind, w.Refresh, w.Scripts = "Confirming your booking", "notice-page", 3, []string{"pending.js"}
		v.w.Header().Set("Retry-After", "3")
		return v.show(http.StatusAccepted, "pending", w)
	case hotel.Released:
		w.Title, w.Kind, w.Problem = "Not booked", "notice-page", true
		return v.show(http.StatusOK, "released", w)
	}
	return v.show(http.StatusOK, "booking", w)
}

// cancelForm serves GET /bookings/{reservation}/cancel.
func (s *Service) cancelForm(v *visit) error {
	r, _, err := v.mine()
	if err != nil {
		return err
	}
	if !v.canCancel(r) {
		return v.uncancellable()
	}
	return v.show(http.StatusOK, "cancel", view{Title: "Cancel this booking?", Kind: "notice-page", Data: bookingData{Reservation: r}})
}

func (v *visit) uncancellable() error {
	return &notice{
		status: http.StatusConflict, Title: "This booking cannot be cancelled",
		Text: "It was cancelled already, or the stay has begun.", Advice: "Look at My bookings to see how it stands. For a stay that has begun, speak to the reception.",
	}
}

// cancel serves POST /bookings/{reservation}/cancel.
func (s *Service) cancel(v *visit) error {
	if _, err := v.readForm(); err != nil {
		return err
	}
	r, subject, err := v.mine()
	if err != nil {
		return err
	}
	page := at("/bookings/{reservation}", "reservation", r.ID) + "?cancelled"
	if r.State == hotel.Cancelled {
		return v.send(page) // the form was sent twice
	}
	if !v.canCancel(r) {
		return v.uncancellable()
	}
	err = s.withdraw(v.r.Context(), subject, r.ID)
	switch {
	case refused(err, http.StatusNotFound), refused(err, http.StatusConflict):
		return v.uncancellable()
	case err != nil:
		return err
	}
	return v.send(page)
}

// receipt serves GET /bookings/{reservation}/receipt, the PDF as reporting
// sends it.
func (s *Service) receipt(v *visit) error {
	r, subject, err := v.mine()
	if err != nil {
		return err
	}
	if r.Receipt == "" || !hotel.ValidID(r.Receipt) {
		return v.notYet(r)
	}
	body, err := s.document(v.r.Context(), subject, r.Receipt)
	if refused(err, http.StatusNotFound) {
		return v.notYet(r)
	}
	if err != nil {
		return err
	}
	return v.pass(body, "application/pdf", "receipt-"+r.ID+".pdf")
}

// notYet says that a receipt is not there, or not any more.
func (v *visit) notYet(r hotel.Reservation) error {
	if r.State != hotel.Confirmed {
		return v.forStatus(http.StatusNotFound)
	}
	v.w.Header().Set("Retry-After", "5")
	return v.show(http.StatusAccepted, "receipt-pending", view{
		Title: "Your receipt is on its way", Kind: "notice-page", Refresh: 5, Scripts: []string{"pending.js"}, Data: bookingData{Reservation: r},
	})
}

// pass sends a file on as it comes. Its first bytes are waited for, so that a
// failure before them can still be told.
func (v *visit) pass(body io.ReadCloser, media, name string) error {
	defer func() { _ = body.Close() }()
	first := make([]byte, 4<<10)
	n, err := io.ReadAtLeast(body, first, 1)
	if err != nil {
		return errors.Join(v.forStatus(http.StatusServiceUnavailable), err)
	}
	h := v.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`) // names are ids of ours: nothing to quote
	v.begun = true
	if _, err := v.w.Write(first[:n]); err != nil {
		return err
	}
	_, err = io.Copy(v.w, body)
	return err
}
