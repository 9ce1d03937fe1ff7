package reservations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
	"portcullis/services/internal/peer"
)

// room is what a partner is asked to book. Its hotel has the id that the partner
// knows.
type room struct {
	Hotel string `json:"hotel"`
	hotel.Stay
	Guests int    `json:"guests"`
	Name   string `json:"name,omitempty"`
}

// partnerOf tells whose hotel it is, by its id; empty for our own.
func partnerOf(id string) (partner, theirs string) {
	if partner, theirs, found := strings.Cut(id, "."); found {
		return partner, theirs
	}
	return "", id
}

// bookThere books the room at the partner, once however often it is sent: the
// key is the reservation's id. It returns how the booking ends if it has no
// room.
func (s *Service) bookThere(ctx context.Context, b *booking) *ending {
	_, theirs := partnerOf(b.Hotel)
	reply, err := s.config.Partners[b.Partner].Ask(ctx, peer.Request{
		Method: http.MethodPost,
		Path:   "/bookings",
		In:     room{Hotel: theirs, Stay: b.Stay, Guests: b.Guests, Name: b.Name},
		Key:    b.ID,
	})
	var booked struct {
		ID    string       `json:"id"`
		Total *hotel.Money `json:"total"`
	}
	switch {
	case err != nil:
	case reply.Status == http.StatusConflict:
		return &ending{reason: hotel.ReasonFull}
	case reply.Status != http.StatusCreated && reply.Status != http.StatusOK:
		err = fmt.Errorf("%s answered a booking with %d", b.Partner, reply.Status)
	default:
		err = reply.Decode(&booked)
	}
	if err == nil && booked.ID == "" {
		err = fmt.Errorf("%s answered a booking with none", b.Partner)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.config.Log.Warn("a partner could not book", "reservation", b.ID, "partner", b.Partner, "error", err.Error())
		}
		// It may have booked without our hearing of it.
		return &ending{reason: hotel.ReasonPartner, booked: true}
	}
	if booked.Total != nil && *booked.Total != b.Total {
		return &ending{reason: hotel.ReasonPrice, booked: true}
	}
	return nil
}

// cancelThere gives the room back. A key that booked nothing never will.
func (s *Service) cancelThere(ctx context.Context, r *hotel.Reservation, _ about) error {
	partner := s.config.Partners[r.Partner]
	if partner == nil {
		return fmt.Errorf("nothing is known of the partner %q any more", r.Partner)
	}
	reply, err := partner.Ask(ctx, peer.Request{Method: http.MethodDelete, Path: "/bookings/" + r.ID})
	switch {
	case err != nil:
		return err
	case reply.Status == http.StatusNoContent, reply.Status == http.StatusOK, reply.Status == http.StatusNotFound:
		return nil
	case reply.Status == http.StatusConflict, reply.Status == http.StatusUnprocessableEntity:
		return outbox.Dead(fmt.Errorf("%s does not cancel: it answered %d", r.Partner, reply.Status))
	}
	return errors.New(r.Partner + " answered a cancellation with " + http.StatusText(reply.Status))
}
