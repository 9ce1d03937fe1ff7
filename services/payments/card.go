package payments

import (
	"errors"
	"time"

	"portcullis/services/hotel"
)

const (
	leastDigits, mostDigits = 12, 19 // ISO/IEC 7812-1
	maxHolder               = 100    // bytes
	// maxYears is how far ahead a card can expire: further is a typing mistake.
	maxYears = 20
)

// checkCard says what keeps a card from being charged, in words for the guest,
// which never repeat what was typed.
func checkCard(c hotel.Card, now time.Time) error {
	switch {
	case !digits(c.Number, leastDigits, mostDigits):
		return errors.New("the card number must have 12 to 19 digits and nothing else")
	case !hotel.Luhn(c.Number):
		return errors.New("the card number is mistyped: please check its digits")
	case !digits(c.Code, 3, 4):
		return errors.New("the security code must have 3 or 4 digits")
	case len(c.Holder) > maxHolder:
		return errors.New("the name of the card's holder is too long")
	}
	return checkExpiry(c.Expiry, now)
}

// checkExpiry takes a month of the form MM/YY until it is over.
func checkExpiry(text string, now time.Time) error {
	if len(text) != len("MM/YY") || text[2] != '/' || !digits(text[:2], 2, 2) || !digits(text[3:], 2, 2) {
		return errors.New("the expiry must be written as MM/YY")
	}
	month, year := int(text[0]-'0')*10+int(text[1]-'0'), 2000+int(text[3]-'0')*10+int(text[4]-'0')
	if month < 1 || month > 12 || year > now.UTC().Year()+maxYears {
		return errors.New("the expiry is mistyped: no card expires in that month")
	}
	// The first day of the month after it; time.Date takes a thirteenth month.
	if !now.UTC().Before(time.Date(year, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC)) {
		return errors.New("the card has expired")
	}
	return nil
}

// last4 is all of a checked card that is kept.
func last4(c hotel.Card) string { return c.Number[len(c.Number)-4:] }

func digits(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
