//go:build nightly

package e2e

import "time"

const (
	// kills is how often the token service is killed in the middle of its work,
	// bookingKills how often each process in the middle of a booking.
	kills        = 25
	bookingKills = 20
	// tokenOutage is how long the token service is away.
	tokenOutage = time.Minute
	// upWithin is how soon after its build all of it is ready.
	upWithin = 10 * time.Second
)
