package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
)

const (
	// maxBookings bounds what a chain remembers.
	maxBookings = 100_000
	// maxStay bounds a booking, in nights.
	maxStay = 60
	// maxKey bounds an Idempotency-Key, in bytes.
	maxKey = 128
)

// day counts from 1970-01-01.
type day int

// nights are those of a stay; that of the departure is not one of them.
type nights struct{ from, to day }

func parseNights(from, to string) (n nights, err error) {
	for text, into := range map[*string]*day{&from: &n.from, &to: &n.to} {
		t, err := time.Parse(time.DateOnly, *text)
		if err != nil {
			return n, fmt.Errorf("%.20q is not a date", *text)
		}
		*into = day(t.Unix() / int64(24*time.Hour/time.Second))
	}
	if n.to <= n.from || n.to-n.from > maxStay {
		return n, fmt.Errorf("a stay has 1 to %d nights", maxStay)
	}
	return n, nil
}

// partnerRequest is the body of POST /bookings. What else a client sends there
// is ignored.
type partnerRequest struct {
	Hotel  string `json:"hotel"`
	From   string `json:"from"`
	To     string `json:"to"`
	Guests int    `json:"guests"`
}

// partnerBooking is a booking, or the mark of a key that was cancelled.
type partnerBooking struct {
	ID  string `json:"id,omitempty"`
	Key string `json:"key"`
	partnerRequest
	Total     partnerMoney `json:"total"`
	Cancelled bool         `json:"cancelled"`
	nights    nights
	number    int
}

// book serves POST /bookings: once for each Idempotency-Key.
func (p *Partner) book(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" || len(key) > maxKey {
		complain(w, http.StatusBadRequest, "the header Idempotency-Key is missing or too long")
		return
	}
	var asked partnerRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAsked)).Decode(&asked); err != nil {
		complain(w, http.StatusBadRequest, "the body is not JSON that can be read")
		return
	}
	h := p.find(asked.Hotel)
	nights, err := parseNights(asked.From, asked.To)
	switch {
	case h == nil:
		complain(w, http.StatusNotFound, "there is no such hotel")
		return
	case err != nil:
		complain(w, http.StatusUnprocessableEntity, err.Error())
		return
	case asked.Guests < 1 || asked.Guests > h.Sleeps:
		complain(w, http.StatusUnprocessableEntity, fmt.Sprintf("a room takes 1 to %d guests", h.Sleeps))
		return
	}
	booked, err := p.take(key, *h, asked, nights)
	if err != nil {
		status := http.StatusConflict
		if errors.Is(err, errTooMany) {
			status = http.StatusServiceUnavailable
		}
		complain(w, status, err.Error())
		return
	}
	reply(w, http.StatusCreated, booked)
}

var errTooMany = errors.New("too many bookings are remembered: start the sandbox again")

// take books a room, or finds what the key booked before.
func (p *Partner) take(key string, h partnerHotel, asked partnerRequest, nights nights) (partnerBooking, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.bookings[key]
	switch {
	case before != nil && before.Cancelled:
		return partnerBooking{}, errors.New("the booking of this key was cancelled")
	case before != nil && before.partnerRequest != asked:
		return partnerBooking{}, errors.New("the key was used for another booking")
	case before != nil:
		return *before, nil
	case len(p.bookings) >= maxBookings:
		return partnerBooking{}, errTooMany
	case p.free(h, nights) < 1:
		return partnerBooking{}, errors.New("full")
	}
	p.let(h.ID, nights, 1)
	p.made++
	b := &partnerBooking{
		ID: fmt.Sprintf("b-%d", p.made), Key: key, partnerRequest: asked, Total: h.total(nights), nights: nights, number: p.made,
	}
	p.bookings[key] = b
	return *b, nil
}

// let counts rooms as taken on each night, or, with a negative n, as free again.
func (p *Partner) let(hotel string, nights nights, n int) {
	if p.taken[hotel] == nil {
		p.taken[hotel] = map[day]int{}
	}
	for night := nights.from; night < nights.to; night++ {
		if p.taken[hotel][night] += n; p.taken[hotel][night] == 0 {
			delete(p.taken[hotel], night)
		}
	}
}

// cancel serves DELETE /bookings/{key}. It answers 204 whatever the key: one
// that booked nothing never will, so that a booking that is still on its way
// cannot come after its own cancellation.
func (p *Partner) cancel(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	if len(key) > maxKey {
		complain(w, http.StatusBadRequest, "the key is too long")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.bookings[key]
	switch {
	case b == nil && len(p.bookings) >= maxBookings:
		complain(w, http.StatusServiceUnavailable, errTooMany.Error())
		return
	case b == nil:
		p.bookings[key] = &partnerBooking{Key: key, Cancelled: true}
	case !b.Cancelled:
		b.Cancelled = true
		p.let(b.Hotel, b.nights, -1)
	}
	w.WriteHeader(http.StatusNoContent)
}

// booking serves GET /bookings/{key}.
func (p *Partner) booking(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	b, known := partnerBooking{}, false
	if found := p.bookings[chi.URLParam(r, "key")]; found != nil && found.ID != "" {
		b, known = *found, true
	}
	p.mu.Unlock()
	if !known {
		complain(w, http.StatusNotFound, "there is no such booking")
		return
	}
	reply(w, http.StatusOK, b)
}

// list serves GET /bookings, oldest first: for tests and the curious.
func (p *Partner) list(w http.ResponseWriter, _ *http.Request) {
	all := []partnerBooking{}
	p.mu.Lock()
	for _, b := range p.bookings {
		if b.ID != "" {
			all = append(all, *b)
		}
	}
	p.mu.Unlock()
	slices.SortFunc(all, func(a, b partnerBooking) int { return a.number - b.number })
	reply(w, http.StatusOK, map[string]any{"bookings": all})
}
