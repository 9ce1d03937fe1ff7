package hotel

import "time"

// QuoteRequest asks what one room would cost.
type QuoteRequest struct {
	Hotel string `json:"hotel"`
	Stay
	Guests int `json:"guests"`
}

// Quote says what one room costs now and how many are free. It promises
// nothing: neither is held.
type Quote struct {
	Hotel  string `json:"hotel"`
	Guests int    `json:"guests"`
	Nights int    `json:"nights"`
	Stay
	// Price is for one night, Total for the stay.
	Price Money `json:"price"`
	Total Money `json:"total"`
	Free  int   `json:"free"`
}

// ReservationRequest books one room.
type ReservationRequest struct {
	Hotel string `json:"hotel"`
	Stay
	Guests int `json:"guests"`
	// Note is what the guest tells the hotel, at most MaxNote runes.
	Note string `json:"note"`
	// Name is who arrives, at most MaxName runes; it stands on the receipt.
	Name string `json:"name,omitempty"`
	// Card pays at once. Without it the guest pays at the hotel.
	Card *Card `json:"card,omitempty"`
	// Email is passed on with the charge (ChargeRequest.ReceiptTo) and kept
	// nowhere else: it gets the mails about the payment.
	Email string `json:"email,omitempty"`
	// Expect is the total the guest was shown: at any other price nothing is
	// booked. Absent agrees to whatever it costs now.
	Expect *Money `json:"expect,omitempty"`
}

// State is where a reservation stands. Callers must expect states that are not
// listed here: the contract grows.
type State string

// The states of a reservation.
const (
	// Held has its rooms and waits for the payment; it ends confirmed or released
	// within minutes, whatever fails.
	Held      State = "held"
	Confirmed State = "confirmed"
	// Released has given its rooms back before it was confirmed: Reason says why.
	Released  State = "released"
	Cancelled State = "cancelled"
)

// Why a reservation was released.
const (
	ReasonDeclined    = "payment_declined"
	ReasonUnavailable = "payment_unavailable" // nobody was charged
	ReasonFull        = "no_room"             // the partner had none left
	ReasonPartner     = "partner_unavailable" // the partner could not be asked
	ReasonPrice       = "price_changed"       // the partner wanted another price
	ReasonExpired     = "expired"             // nothing came of it in time
)

// Payment is how a reservation is paid.
type Payment struct {
	Method PaymentMethod `json:"method"`
	// Status is that of the charge, absent when paid at the hotel.
	Status ChargeStatus `json:"status,omitempty"`
	// Last4 are the card's last digits.
	Last4 string `json:"last4,omitempty"`
	// Declined is why the bank said no, fit for the guest.
	Declined string `json:"declined,omitempty"`
}

// PaymentMethod is a way to pay.
type PaymentMethod string

// The ways to pay.
const (
	ByCard  PaymentMethod = "card"
	AtHotel PaymentMethod = "at_hotel"
)

// Reservation is one booked room.
type Reservation struct {
	ID    string `json:"id"`
	Hotel string `json:"hotel"`
	// Guest is the subject of the token it was booked with.
	Guest string `json:"guest"`
	Stay
	Guests int    `json:"guests"`
	Note   string `json:"note"`
	State  State  `json:"state"`
	// Total is the price agreed at booking; later rates do not change it.
	Total   Money     `json:"total"`
	Created time.Time `json:"created"`
	// Cancelled is when the reservation was cancelled, absent before.
	Cancelled *time.Time `json:"cancelled,omitempty"`
	// HotelName and City are as they were when it was booked.
	HotelName string   `json:"hotel_name,omitempty"`
	City      string   `json:"city,omitempty"`
	Partner   string   `json:"partner,omitempty"`
	Name      string   `json:"name,omitempty"`
	Payment   *Payment `json:"payment,omitempty"`
	// Reason is why it was released, absent otherwise.
	Reason string `json:"reason,omitempty"`
	// Receipt is the id of the document at reporting, absent until it is there.
	Receipt string `json:"receipt,omitempty"`
}

// Reservations is one page of a guest's reservations, newest first.
type Reservations struct {
	Reservations []Reservation `json:"reservations"`
	// Next is the value of "after" that gives the next page, absent on the last.
	Next string `json:"next,omitempty"`
}

// AvailabilityRequest asks how many rooms are free on every night of a stay.
type AvailabilityRequest struct {
	Hotels []RoomCount `json:"hotels"`
	Stay
}

// RoomCount is how many rooms a hotel lets in all. The caller says it, because
// search owns the hotels: were reservations to ask search back while search
// waits for reservations, each would wait for the other.
type RoomCount struct {
	Hotel string `json:"hotel"`
	Rooms int    `json:"rooms"`
}

// Availability answers an AvailabilityRequest, in its order.
type Availability struct {
	Hotels []FreeRooms `json:"hotels"`
}

// FreeRooms is how many rooms of a hotel are free on every night of the stay.
type FreeRooms struct {
	Hotel string `json:"hotel"`
	Free  int    `json:"free"`
}
