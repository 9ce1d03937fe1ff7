package hotel

import "time"

// Profile is what a guest lets the hotel know.
type Profile struct {
	Guest string `json:"guest"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone,omitempty"`
	// Updated is when it was changed last.
	Updated time.Time `json:"updated"`
}

// ProfileUpdate replaces a profile. The first one makes it.
type ProfileUpdate struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone,omitempty"`
}

// EventKind is what happened.
type EventKind string

// The kinds of events that users are told.
const (
	BookingConfirmed EventKind = "booking_confirmed"
	BookingCancelled EventKind = "booking_cancelled"
)

// Event tells users what happened; it may come more than once, and is known by
// its id. Whoever tells it does so until it was taken.
type Event struct {
	ID          string      `json:"id"`
	Kind        EventKind   `json:"kind"`
	At          time.Time   `json:"at"`
	Reservation Reservation `json:"reservation"`
}

// Removal is how far the removal of a guest has come.
type Removal struct {
	Guest     string     `json:"guest"`
	Asked     time.Time  `json:"asked"`
	Completed *time.Time `json:"completed,omitempty"`
	// Left are the services that have not forgotten the guest yet.
	Left []string `json:"left"`
	// Blocked is what the guest has to do before it can go on, absent when it is
	// not for the guest.
	Blocked string `json:"blocked,omitempty"`
}

// Export is all that is held of a guest, by service.
type Export struct {
	Guest    string         `json:"guest"`
	Made     time.Time      `json:"made"`
	Services map[string]any `json:"services"`
}
