// Package hotel holds what the hotel's services say to each other and to their
// callers: wire types, paths and scopes. There is no logic here beyond what a
// value must be to make sense, and no storage.
//
// A contract only grows: a field may be added, none is ever given a second
// meaning. Every field name is lower case with underscores.
package hotel

import "time"

// The scopes of the hotel's access tokens.
const (
	ScopeSearchRead        = "search:read"
	ScopeReservationsRead  = "reservations:read"
	ScopeReservationsWrite = "reservations:write"
	ScopeAvailabilityRead  = "availability:read"
	// ScopeChargesWrite charges a guest's card; the token must be the guest's.
	ScopeChargesWrite = "charges:write"
	// ScopeChargesRead shows guests what they paid.
	ScopeChargesRead = "charges:read"
	// ScopeChargesSettle asks what became of a charge, voids and refunds it: by
	// reservations itself, when no guest is there to act for. It cannot charge.
	ScopeChargesSettle  = "charges:settle"
	ScopeProfileRead    = "profile:read"
	ScopeProfileWrite   = "profile:write"
	ScopeEventsWrite    = "events:write"    // tells users what happened
	ScopeDocumentsWrite = "documents:write" // has a document rendered
	ScopeDocumentsRead  = "documents:read"
	ScopeGuestExport    = "guest:export" // all that a service holds of a guest
	ScopeGuestErase     = "guest:erase"  // has a service forget a guest
	ScopePagesServe     = "pages:serve"  // the gateway's, for the Booking UI
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
	// PathPartnerOffers has the query of PathHotels, and partner=NAME.
	PathPartnerOffers = "/v1/partner-offers"
	PathPartners      = "/v1/partners"

	// A charge is named by the key of whoever asked for it, which is the
	// reservation's id: there is one charge a reservation.
	PathCharges      = "/v1/charges"
	PathCharge       = "/v1/charges/{charge}"
	PathChargeVoid   = "/v1/charges/{charge}/void"
	PathChargeRefund = "/v1/charges/{charge}/refund"
	PathGuestCharges = "/v1/guests/{guest}/charges"

	PathProfile = "/v1/guests/{guest}/profile"
	PathEvents  = "/v1/events"
	// PathExport is all that every service holds of a guest, PathRemoval has all
	// of them forget the guest; both are users'.
	PathExport  = "/v1/guests/{guest}/export"
	PathRemoval = "/v1/guests/{guest}/removal"
	// PathGuestData is, at each service, what it alone holds: GET and DELETE, for
	// users to ask.
	PathGuestData = "/v1/guests/{guest}/data"

	PathDocuments = "/v1/documents"
	PathDocument  = "/v1/documents/{document}"
	// PathGuestDocuments lists the guest's documents, newest first, in pages.
	PathGuestDocuments = "/v1/guests/{guest}/documents"
	// PathProof tells anybody who holds a document's code whether it is genuine.
	PathProof = "/v1/proofs/{document}/{code}"
)

// The bounds of a stay. They keep one request from occupying a hotel for ever
// and from costing more than a page of work.
const (
	MaxNights      = 30
	MaxGuests      = 8
	MaxNote        = 500 // runes
	MaxName        = 100 // runes
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
	// Partner is the chain that lets the rooms, absent for our own. The id of
	// such a hotel is PARTNER.ID.
	Partner string `json:"partner,omitempty"`
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
	// AsOf is when the rooms were counted, given only when that could not be done
	// anew: fewer may be free by now.
	AsOf *time.Time `json:"as_of,omitempty"`
}

// Partners are the chains whose offers can be asked for.
type Partners struct {
	Partners []Partner `json:"partners"`
}

// Partner is one chain.
type Partner struct {
	Name  string `json:"name"`  // part of its hotels' ids
	Title string `json:"title"` // for people
}
