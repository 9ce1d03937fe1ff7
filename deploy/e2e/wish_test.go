package e2e

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"time"

	"portcullis/services/hotel"
)

// wish is one booking that a guest wants.
type wish struct {
	hotel    string
	from, to hotel.Date
	card     string // its number; pays at the hotel if empty
	note     string
	email    string // for mails about the payment
	key      string
}

// The cards of the sandbox's bank.
const (
	goodCard     = "4242424242424242"
	declinedCard = "4000000000000002"
)

// lighthouse has one room, market many.
const (
	lighthouse = "h-6"
	market     = "h-1"
)

// wish is a night that nobody else of this house wants.
func (h *house) wish(card string) wish {
	from := hotel.Today(time.Now()) + 20 + hotel.Date(h.nights.Add(1))
	return wish{hotel: lighthouse, from: from, to: from + 1, card: card, key: rand.Text()}
}

func (w wish) body() string {
	ask := hotel.ReservationRequest{
		Hotel: w.hotel, Stay: hotel.Stay{From: w.from, To: w.to}, Guests: 2, Note: cmp.Or(w.note, "A late arrival"), Name: "Ada Lovelace", Email: w.email,
	}
	if w.card != "" {
		ask.Card = &hotel.Card{Number: w.card, Expiry: "12/31", Code: "123", Holder: "Ada Lovelace"}
	}
	data, err := json.Marshal(ask)
	if err != nil {
		panic(err) // plain data
	}
	return string(data)
}
