package booking

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
)

type hotelData struct {
	Hotel hotel.Hotel
	Form  wishForm
	Wish  wish
	// Chosen says that the dates make sense, Offer what they cost; nil when no
	// room is free.
	Chosen bool
	Offer  *hotel.Offer
	// Unknown says that free rooms could not be asked for just now.
	Unknown bool
	// TooMany says that a room does not take the guests.
	TooMany bool
}

// hotel serves GET /hotels/{hotel}.
func (s *Service) hotel(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	subject := v.browsing()
	h, err := s.house(v.r.Context(), subject, chi.URLParam(v.r, "hotel"))
	if err != nil {
		return err
	}
	d := hotelData{Hotel: h, Form: v.typed(q)}
	d.Form.Plain, d.Form.Action, d.Form.Button = true, at("/hotels/{hotel}", "hotel", h.ID), "Show price"
	status := http.StatusOK
	if d.Wish, d.Chosen = d.Form.wish(v.today()); d.Chosen {
		d.Wish.City = h.City
		switch {
		case d.Wish.Guests > h.Sleeps && h.Sleeps > 0:
			d.TooMany = true
		default:
			// The hotel can be shown without knowing what is free.
			d.Offer, err = s.offer(v.r.Context(), subject, h, d.Wish)
			if err != nil {
				s.config.Log.Info("free rooms are unknown", "request_id", v.requestID(), "error", err.Error())
				d.Unknown = true
			}
		}
	} else {
		status = http.StatusUnprocessableEntity
	}
	return v.show(status, "hotel", view{
		Title: h.Name, Kind: "hotel", Problem: !d.Chosen, Scripts: []string{"stay.js"}, Data: d,
	})
}
