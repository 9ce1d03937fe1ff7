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
}

// State is where a reservation stands. Callers must expect states that are not
// listed here: the contract grows.
type State string

// The states of a reservation.
const (
	Confirmed State = "confirmed"
	Cancelled State = "cancelled"
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
