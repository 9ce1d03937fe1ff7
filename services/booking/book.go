package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

// clockSkew is how far the clocks of two services may be apart.
const clockSkew = 30 * time.Second

// introduceTime bounds what a booking may take longer for its guest's profile.
const introduceTime = 2 * time.Second

type bookData struct {
	Hotel hotel.Hotel
	Wish  wish
	Offer hotel.Offer
	Form  bookForm
	// Trouble says, above the form, why nothing was booked.
	Trouble *trouble
	// SignIn says that the guest has to sign in again, in another tab.
	SignIn bool
	Email  string
}

// trouble is why a booking did not come about.
type trouble struct {
	// Kind is payment, price, full or away; it chooses the picture.
	Kind, Title, Text string
}

// bookForm serves GET /book/{hotel}.
func (s *Service) bookForm(v *visit) error {
	if v.who == nil {
		return v.send(signInPath + "?return=" + url.QueryEscape(v.here()))
	}
	d, subject, err := v.chosen(v.query)
	if err != nil || d == nil {
		return err
	}
	d.Form = bookForm{Key: newKey(s.config.Now()), Expect: writeExpect(d.Offer.Total), Pay: payCard}
	// A name that we know need not be typed. It is a courtesy: without it the
	// form works as well.
	if p, found, err := s.guestProfile(v.r.Context(), subject, v.who.Guest); err == nil && found {
		d.Form.Name = p.Name
	}
	return v.bookPage(http.StatusOK, d)
}

func (v *visit) bookPage(status int, d *bookData) error {
	if v.who != nil {
		d.Email = v.who.tokens.Email
	}
	return v.show(status, "book", view{
		Title: "Book " + d.Hotel.Name, Kind: "book", Problem: len(d.Form.Wrong) > 0 || d.Trouble != nil, Scripts: []string{"book.js"}, Data: d,
	})
}

// chosen finds out what is to be booked. When no room is free any more, or the
// dates make no sense, it shows the hotel's page and returns nil.
func (v *visit) chosen(read func() (form, error)) (d *bookData, subject string, err error) {
	q, err := read()
	if err != nil {
		return nil, "", err
	}
	if subject, err = v.token(); err != nil {
		return nil, "", err
	}
	h, err := v.s.house(v.r.Context(), subject, chi.URLParam(v.r, "hotel"))
	if err != nil {
		return nil, "", err
	}
	typed := v.typed(q)
	typed.Plain = true
	w, ok := typed.wish(v.today())
	w.City = h.City
	hotelPage := at("/hotels/{hotel}", "hotel", h.ID) + "?" + url.Values{"from": {typed.From}, "to": {typed.To}, "guests": {typed.Guests}}.Encode()
	if !ok || w.Guests > h.Sleeps && h.Sleeps > 0 {
		return nil, "", v.send(hotelPage)
	}
	offer, err := v.s.offer(v.r.Context(), subject, h, w)
	if err != nil {
		return nil, "", err
	}
	if offer == nil {
		return nil, "", v.send(hotelPage)
	}
	return &bookData{Hotel: h, Wish: w, Offer: *offer}, subject, nil
}

// book serves POST /book/{hotel}.
func (s *Service) book(v *visit) error {
	f, err := v.readForm()
	if err != nil {
		return err
	}
	h, w, err := v.wanted(f)
	if err != nil {
		return err
	}
	sent, card := readBooking(f, s.config.Now())
	expect, ok := readExpect(sent.Expect)
	if !ok {
		return errForm
	}
	// What was typed is shown with the price that was seen, whatever happens.
	d := &bookData{Hotel: h, Wish: w, Form: sent, Offer: hotel.Offer{Hotel: h, Total: expect}}
	subject, err := v.token()
	if errors.Is(err, errNoSession) {
		v.ended()
		d.SignIn = true
		return v.bookPage(http.StatusUnauthorized, d)
	}
	if err != nil {
		return v.away(d, err)
	}
	if len(sent.Wrong) > 0 {
		return v.bookPage(http.StatusUnprocessableEntity, d)
	}
	if s.tries.OnLimit(v.w, v.r, v.who.Guest) {
		return &notice{
			status: http.StatusTooManyRequests, Title: "One moment, please", Retry: "60",
			Text: "You have tried to book many times within a minute, so we take a break together. Nothing was charged by the last try.",
		}
	}
	ask := hotel.ReservationRequest{
		Hotel: h.ID, Stay: w.Stay, Guests: w.Guests, Note: sent.Note, Name: sent.Name, Card: card, Expect: &expect,
	}
	if card != nil {
		ask.Email = v.who.tokens.Email
	}
	introduced := v.introduce(subject, sent.Name)
	made, err := s.reserve(v.r.Context(), subject, sent.Key, ask)
	<-introduced
	if err != nil {
		return v.unbooked(d, subject, err)
	}
	if made.State == hotel.Released {
		return v.released(d, made)
	}
	return v.send(at("/bookings/{reservation}", "reservation", made.ID) + "?booked")
}

// introduce tells users whom to write to, unless it knows: to a guest without a
// profile the confirmation that the form promises could not go. It is a courtesy,
// beside the booking and not a condition of it.
func (v *visit) introduce(subject, name string) (done <-chan struct{}) {
	ended := make(chan struct{})
	guest, email, id := v.who.Guest, v.who.tokens.Email, v.requestID()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), introduceTime)
	go func() {
		defer close(ended)
		defer cancel()
		if err := v.s.introduce(ctx, subject, guest, name, email); err != nil {
			v.s.config.Log.Warn("a guest who books may have no profile to be written to", "request_id", id, "error", err.Error())
		}
	}()
	return ended
}

// wanted is what a sent form is about. The hotel is asked for as everybody may:
// a guest whose sign-in has ended must find what they typed again.
func (v *visit) wanted(f form) (h hotel.Hotel, w wish, err error) {
	if h, err = v.s.house(v.r.Context(), "", chi.URLParam(v.r, "hotel")); err != nil {
		return h, w, err
	}
	typed := v.typed(f)
	typed.Plain = true
	w, ok := typed.wish(v.today())
	w.City = h.City
	if !ok {
		return h, w, errForm // the form's own fields, which nobody types
	}
	return h, w, nil
}

// unbooked shows the form again and says why nothing was booked.
func (v *visit) unbooked(d *bookData, subject string, err error) error {
	no, isNo := errors.AsType[*peer.Refusal](err)
	switch {
	case isNo && no.Status() == http.StatusPaymentRequired:
		return v.declined(d, no.Problem.Detail)
	case isNo && no.Status() == http.StatusConflict:
		return v.conflict(d, subject)
	case isNo && no.Status() == http.StatusUnprocessableEntity:
		d.Trouble = &trouble{"price", "The hotel cannot take this booking", sentence(no.Problem.Detail, "Something in it does not fit. Check what you filled in.")}
		return v.bookPage(http.StatusUnprocessableEntity, d)
	case isNo:
		return err
	}
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code == problem.ClientClosed || p.Status() < http.StatusInternalServerError {
		return err
	}
	// It may have worked although we were not told.
	if made := v.became(subject, d); made != nil {
		if made.State == hotel.Released {
			return v.released(d, *made)
		}
		return v.send(at("/bookings/{reservation}", "reservation", made.ID) + "?booked")
	}
	return v.away(d, err)
}

// declined tells what the bank said. The next try is another booking.
func (v *visit) declined(d *bookData, why string) error {
	d.Form.Key = newKey(v.s.config.Now())
	d.Trouble = &trouble{
		"payment", "Your card was declined",
		sentence(why, "Your bank did not say why.") + " Nothing was charged and the room is not held any more. Try another card, or pay at the hotel.",
	}
	return v.bookPage(http.StatusPaymentRequired, d)
}

// released tells why a room that was held was given back.
func (v *visit) released(d *bookData, made hotel.Reservation) error {
	d.Form.Key = newKey(v.s.config.Now())
	switch made.Reason {
	case hotel.ReasonDeclined:
		why := ""
		if made.Payment != nil {
			why = made.Payment.Declined
		}
		return v.declined(d, why)
	case hotel.ReasonFull:
		return v.full(d)
	case hotel.ReasonPartner, hotel.ReasonPrice:
		d.Trouble = &trouble{
			"away", "The hotel did not confirm",
			"The partner who runs this hotel could not be reached, or asks another price now, so nothing was booked. Your card was not charged. Look at the hotel again, or choose another.",
		}
	case hotel.ReasonExpired:
		d.Trouble = &trouble{
			"away", "The booking took too long",
			"We could not finish it in time and let the room go. Your card was not charged. Try again.",
		}
	default:
		d.Trouble = &trouble{
			"away", "The payment could not be made",
			"The bank could not be reached, so we let the room go. Your card was not charged. Try again, or pay at the hotel.",
		}
	}
	v.w.Header().Set("Retry-After", "10")
	return v.bookPage(http.StatusServiceUnavailable, d)
}

// conflict finds out what has changed: the price, or the last room is gone.
func (v *visit) conflict(d *bookData, subject string) error {
	made := v.became(subject, d)
	if made != nil && made.State == hotel.Released && made.Reason == hotel.ReasonFull {
		return v.full(d) // a partner's room: what it had left is asked only now and then
	}
	if made != nil && made.State != hotel.Released {
		return v.send(at("/bookings/{reservation}", "reservation", made.ID) + "?booked")
	}
	offer, err := v.s.offer(v.r.Context(), subject, d.Hotel, d.Wish)
	if err != nil {
		return err
	}
	if offer == nil {
		return v.full(d)
	}
	old := d.Offer.Total
	d.Offer = *offer
	d.Form.Key, d.Form.Expect = newKey(v.s.config.Now()), writeExpect(offer.Total)
	d.Trouble = &trouble{
		"price", "The price has changed",
		"It was " + money(old) + " when you opened this page and is " + money(offer.Total) + " now. Nothing was booked or charged. Have a look, and book if you like.",
	}
	if old == offer.Total {
		d.Trouble = &trouble{"price", "That did not go through", "Somebody else was booking in this hotel at the same moment. Nothing was booked or charged. Please try again."}
	}
	return v.bookPage(http.StatusConflict, d)
}

func (v *visit) full(d *bookData) error {
	d.Trouble = &trouble{
		"full", "The last room has just gone",
		"Somebody booked it a moment before you. Nothing was charged. Other days, or another hotel in " + d.Hotel.City + ", may suit you as well.",
	}
	return v.show(http.StatusConflict, "gone", view{Title: d.Trouble.Title, Kind: "notice-page", Problem: true, Data: d})
}

// away keeps the form, and its key: trying again can book only once.
func (v *visit) away(d *bookData, err error) error {
	wait := "5"
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Header.Get("Retry-After") != "" {
		wait = p.Header.Get("Retry-After")
	}
	v.s.config.Log.Error("a booking was not made", "request_id", v.requestID(), "error", err.Error())
	v.w.Header().Set("Retry-After", wait)
	d.Trouble = &trouble{
		"away", "We could not finish your booking",
		"A part of our house does not answer right now. What you typed is still here, but for your card. Wait a moment and try again: however often you send it, you are booked and charged once.",
	}
	return v.bookPage(http.StatusServiceUnavailable, d)
}

// became looks for a reservation that this form has made although the answer
// was lost; nil for none, and when that cannot be known.
func (v *visit) became(subject string, d *bookData) *hotel.Reservation {
	made, ok := keyTime(d.Form.Key)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), 2*time.Second)
	defer cancel()
	page, err := v.s.reservationsOf(ctx, subject, v.who.Guest, "", 10)
	if err != nil {
		return nil
	}
	for i := range page.Reservations {
		r := &page.Reservations[i]
		if r.Hotel == d.Hotel.ID && r.Stay == d.Wish.Stay && r.Guests == d.Wish.Guests && r.State != hotel.Cancelled && r.Created.After(made.Add(-clockSkew)) {
			return r
		}
	}
	return nil
}

// sentence is a neighbour's text for the guest, or what stands for none.
func sentence(text, otherwise string) string {
	text = strings.TrimSpace(text)
	if text == "" || !clean(text) {
		return otherwise
	}
	if last := text[len(text)-1]; last != '.' && last != '!' && last != '?' {
		text += "."
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
