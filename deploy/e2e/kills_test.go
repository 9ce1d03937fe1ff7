//go:build !nightly

package e2e

import "time"

const (
	// kills is how often the token service is killed in the middle of its work,
	// bookingKills how often each process in the middle of a booking.
	kills        = 3
	bookingKills = 1
	// tokenOutage is how long the token service is away.
	tokenOutage = 8 * time.Second
	// upWithin is how soon after its build all of it is ready, while other tests
	// keep the machine busy.
	upWithin = 90 * time.Second
)
