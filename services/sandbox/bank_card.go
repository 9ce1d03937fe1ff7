package sandbox

import (
	"strconv"
	"time"
)

// bankCard is a card as a client sends it.
type bankCard struct {
	Number string `json:"number"`
	Expiry string `json:"expiry"` // MM/YY
	Code   string `json:"code"`
	Holder string `json:"holder"`
}

// judge says what the bank does with a card: the numbers are those that other
// sandboxes know, too.
func (c bankCard) judge(now time.Time) (status, reason string) {
	switch {
	case !luhn(c.Number) || !digits(c.Code, 3, 4):
		return bankDeclined, "invalid"
	case c.Number == "4000000000000002":
		return bankDeclined, "do_not_honour"
	case c.Number == "4000000000009995":
		return bankDeclined, "insufficient_funds"
	case c.Number == "4000000000009979":
		return bankDeclined, "stolen_card"
	case c.Number == "4000000000000069" || c.expired(now):
		return bankDeclined, "expired_card"
	}
	return bankApproved, ""
}

// expired reports whether the month on the card is over, or none.
func (c bankCard) expired(now time.Time) bool {
	month, err := time.Parse("01/06", c.Expiry)
	return err != nil || !now.Before(month.AddDate(0, 1, 0))
}

// last4 is all of the number that is kept.
func (c bankCard) last4() string {
	if !digits(c.Number, 12, 19) {
		return ""
	}
	return c.Number[len(c.Number)-4:]
}

func digits(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil && s[0] != '+'
}

// luhn checks a number of 12 to 19 digits by its last one (ISO/IEC 7812-1).
func luhn(number string) bool {
	if !digits(number, 12, 19) {
		return false
	}
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
