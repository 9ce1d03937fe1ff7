package hotel

import (
	"errors"
	"fmt"
)

// Stay is the nights from the day of arrival up to the day of departure; the
// night of the departure day is not part of it.
type Stay struct {
	From Date `json:"from"`
	To   Date `json:"to"`
}

// Nights is the length of the stay.
func (s Stay) Nights() int { return int(s.To - s.From) }

// Check says what keeps the stay from being bookable, seen on the day today:
// both dates given, at least one night and at most MaxNights, not in the past.
// The error is fit for the caller's eyes.
func (s Stay) Check(today Date) error {
	switch {
	case s.From == 0:
		return errors.New("from is missing: give the day of arrival as YYYY-MM-DD")
	case s.To == 0:
		return errors.New("to is missing: give the day of departure as YYYY-MM-DD")
	case s.From >= s.To:
		return fmt.Errorf("to (%s) must be after from (%s)", s.To, s.From)
	case s.Nights() > MaxNights:
		return fmt.Errorf("the stay has %d nights: at most %d can be booked at once", s.Nights(), MaxNights)
	case s.From < today:
		return fmt.Errorf("from (%s) is in the past: today is %s in UTC", s.From, today)
	}
	return nil
}

// CheckGuests reports whether that many guests can be booked at once. The error is
// fit for the caller's eyes.
func CheckGuests(n int) error {
	if n < 1 || n > MaxGuests {
		return fmt.Errorf("guests is %d: it must be from 1 to %d", n, MaxGuests)
	}
	return nil
}

// ValidID reports whether s can be an identifier of the hotel's world: 1 to
// MaxIDLength letters, digits, dots, underscores and hyphens, beginning with a
// letter or digit. Anything else is refused before it reaches a query, a path
// or a log.
func ValidID(s string) bool {
	if s == "" || len(s) > MaxIDLength {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}
