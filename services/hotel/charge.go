package hotel

import "time"

// Card is what a guest pays with. It is passed on to the bank and kept nowhere:
// no service stores it, logs it or repeats it in an answer.
type Card struct {
	Number string `json:"number"` // 12 to 19 digits
	Expiry string `json:"expiry"` // MM/YY
	Code   string `json:"code"`   // 3 or 4 digits
	Holder string `json:"holder,omitempty"`
}

// String keeps a card out of whatever is printed.
func (Card) String() string { return "(card)" }

// GoString is String for %#v.
func (c Card) GoString() string { return c.String() }

// Luhn reports whether the last of digits fits the others (ISO/IEC 7812-1, annex
// B). It finds one wrong digit, and nearly every two that changed places.
func Luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// ChargeRequest charges a card once for a reservation, however often it is
// sent: the header Idempotency-Key is the reservation's id. It is answered with
// a Charge that is approved (201, and 200 when it was there already), 402
// payment_declined, with words for the guest, or 409 when it was voided,
// refunded, or asked for with other terms, before. 503 leaves it pending: the
// same request may be sent again, the charge asked for, or voided.
type ChargeRequest struct {
	Reservation string `json:"reservation"`
	Amount      Money  `json:"amount"`
	Card        Card   `json:"card"`
	// ReceiptTo is the address that is mailed when the payment is received, and
	// when it is given back. Without it nobody is.
	ReceiptTo string `json:"receipt_to,omitempty"`
}

// ChargeStatus is where a charge stands.
type ChargeStatus string

// The states of a charge.
const (
	ChargePending  ChargeStatus = "pending" // the bank has not said yet
	ChargeApproved ChargeStatus = "approved"
	ChargeDeclined ChargeStatus = "declined"
	// ChargeVoided was given up: whatever the bank had taken is given back as soon
	// as the bank can be reached, and nothing can be charged under its key any
	// more.
	ChargeVoided   ChargeStatus = "voided"
	ChargeRefunded ChargeStatus = "refunded"
)

// Charge is what became of a ChargeRequest.
type Charge struct {
	// ID is the reservation's.
	ID      string       `json:"id"`
	Guest   string       `json:"guest"`
	Amount  Money        `json:"amount"`
	Status  ChargeStatus `json:"status"`
	Last4   string       `json:"last4"`
	Created time.Time    `json:"created"`
	// Declined is why the bank said no, in words for the guest.
	Declined string `json:"declined,omitempty"`
	// Returned is when it was voided or refunded.
	Returned *time.Time `json:"returned,omitempty"`
}

// Charges is what a guest paid, newest first.
type Charges struct {
	Charges []Charge `json:"charges"`
}
