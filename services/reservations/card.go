package reservations

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
)

// checkCard says what is wrong with the form of a card, without a digit of it.
// Whether it is any good is for the bank to say.
func checkCard(c *hotel.Card) error {
	expiry := strings.Split(c.Expiry, "/")
	switch {
	case !number(c.Number, 12, 19):
		return wire.Unprocessable(errors.New("the card's number must have 12 to 19 digits and nothing else"))
	case len(expiry) != 2 || !number(expiry[0], 2, 2) || !number(expiry[1], 2, 2) || expiry[0] < "01" || expiry[0] > "12":
		return wire.Unprocessable(errors.New("the card's expiry must be a month written as MM/YY"))
	case !number(c.Code, 3, 4):
		return wire.Unprocessable(errors.New("the card's code must have 3 or 4 digits"))
	}
	return checkName("the name on the card", c.Holder)
}

// checkName checks a name of a person, which may be missing.
func checkName(what, name string) error {
	if utf8.RuneCountInString(name) > hotel.MaxName || strings.ContainsFunc(name, unicode.IsControl) {
		return wire.Unprocessable(fmt.Errorf("%s may have at most %d characters, and no control characters", what, hotel.MaxName))
	}
	return nil
}

// number reports whether text is from least to most digits.
func number(text string, least, most int) bool {
	return len(text) >= least && len(text) <= most && !strings.ContainsFunc(text, notDigit)
}

func notDigit(c rune) bool { return c < '0' || c > '9' }

// last4 are the last four digits of what ought to be no more than that.
func last4(text string) string {
	text = text[max(0, len(text)-4):]
	if strings.ContainsFunc(text, notDigit) {
		return ""
	}
	return text
}

// maxWords bounds what a bank says, in runes.
const maxWords = 200

// words are what a bank says, fit for a guest's eyes and our database. They come
// from somebody who has seen the card, so there are no digits in them.
func words(said string) string {
	text := []rune(strings.Map(func(c rune) rune {
		if !notDigit(c) || unicode.IsControl(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, said))
	return string(text[:min(len(text), maxWords)])
}
