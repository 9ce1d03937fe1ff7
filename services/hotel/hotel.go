// Package hotel holds what the hotel's services say to each other and to their
// callers: wire types, paths and scopes. There is no logic here beyond what a
// value must be to make sense, and no storage.
//
// A contract only grows: a field may be added, none is ever given a second
// meaning. Every field name is lower case with underscores.
package hotel

// The scopes of the hotel's access tokens.
const (
	ScopeSearchRead        = "search:read"
	ScopeReservationsRead  = "reservations:read"
	ScopeReservationsWrite = "reservations:write"
	ScopeAvailabilityRead  = "availability:read"
)

// The paths, as chi patterns. They are the same through the gateway and on the
// service itself.
const (
	PathHotels            = "/v1/hotels"
	PathHotel             = "/v1/hotels/{hotel}"
	PathQuotes            = "/v1/quotes"
	PathReservations      = "/v1/reservations"
	PathReservation       = "/v1/reservations/{reservation}"
	PathGuestReservations = "/v1/guests/{guest}/reservations"
	PathAvailability      = "/v1/availability"
)

// The bounds of a stay. They keep one request from occupying a hotel for ever
// and from costing more than a page of work.
const (
	MaxNights      = 30
	MaxGuests      = 8
	MaxNote        = 500 // runes
	MaxIDLength    = 64  // bytes
	MaxHotelsAsked = 100 // hotels in one availability request
)

// Hotel is one hotel as search knows it. All its rooms are alike.
type Hotel struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	City    string `json:"city"`
	Country string `json:"country"` // ISO 3166-1 alpha-2
	About   string `json:"about"`
	// Rooms is how many rooms the hotel lets in all.
	Rooms int `json:"rooms"`
	// Sleeps is how many guests one room takes.
	Sleeps int `json:"sleeps"`
	// Price is for one room and one night.
	Price Money `json:"price"`
}

// Offer is a hotel with free rooms for the dates that were asked for.
type Offer struct {
	Hotel
	// Free is how many rooms are free on every night of the stay.
	Free int `json:"free"`
	// Total is the price of one room for the whole stay.
	Total Money `json:"total"`
}

// Offers is the answer to a search, cheapest first.
type Offers struct {
	City   string `json:"city"`
	Guests int    `json:"guests"`
	Nights int    `json:"nights"`
	Stay
	Hotels []Offer `json:"hotels"`
}
