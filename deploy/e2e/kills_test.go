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
)
