package payments

import (
	"errors"
	"fmt"
	"net/http"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// maxAmount bounds one charge, in minor units: ten million euros.
const maxAmount = 1_000_000_000

// readCharge reads and checks all of a request to charge but the card.
func readCharge(w http.ResponseWriter, r *http.Request) (*hotel.ChargeRequest, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) != 1 || !hotel.ValidID(keys[0]) {
		return nil, problem.New(problem.BadRequest, "Send one Idempotency-Key: the reservation's id.")
	}
	ask := &hotel.ChargeRequest{}
	if err := wire.Decode(w, r, ask); err != nil {
		return nil, discreet(err)
	}
	switch {
	case ask.Reservation != keys[0]:
		return nil, wire.Unprocessable(errors.New("the reservation must be what the Idempotency-Key says"))
	case ask.Amount.Amount < 1 || ask.Amount.Amount > maxAmount:
		return nil, wire.Unprocessable(fmt.Errorf("the amount must be from 1 to %d", maxAmount))
	case !isCurrency(ask.Amount.Currency):
		return nil, wire.Unprocessable(errors.New("the currency must be a code of ISO 4217"))
	}
	if ask.ReceiptTo != "" && !hotel.ValidEmail(ask.ReceiptTo) {
		return nil, wire.Unprocessable(errors.New("the value of receipt_to is not a plain e-mail address"))
	}
	return ask, nil
}

// discreet has a refusal of the body quote nothing that could be a card's
// number: what was sent in the wrong place may be one.
func discreet(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		return problem.New(problem.Unprocessable, "")
	}
	run := 0
	for _, c := range p.Detail {
		if run++; c < '0' || c > '9' {
			run = 0
		}
		if run >= leastDigits {
			p.Detail = "The body is not a request to charge a card."
			break
		}
	}
	p.Cause = nil
	return p
}

func isCurrency(s string) bool {
	if len(s) != 3 || s == noCurrency {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
