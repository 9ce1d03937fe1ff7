package reporting

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"portcullis/services/hotel"
)

// missing stands for a sign that cannot be set: a reader sees that something
// was there.
const missing = '\u25a1'

// clean gives a text the form in which it is set: letters and their accents
// composed, one line, and in place of every sign that the fonts lack, does not
// show or would turn the text round, a box.
func clean(text string) string {
	var b strings.Builder
	space, boxed := false, false
	for _, r := range norm.NFC.String(text) {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			boxed = false
			continue
		case boxed && joins(r):
			continue // part of the sign that the box stands for
		case !printable(r):
			boxed = true
			r = missing
		default:
			boxed = false
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// joins reports whether a rune only changes the sign before it: accents,
// variation selectors, joiners, and the tones of emoji.
func joins(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me) || r == '\u200d' || (r >= 0x1f3fb && r <= 0x1f3ff)
}

// money writes an amount with the currency's own number of decimals. Requests
// were checked: the currency is one.
func money(m hotel.Money) string {
	decimals := m.Decimals()
	minus, amount := "", uint64(m.Amount)
	if m.Amount < 0 {
		minus, amount = "\u2212", -amount
	}
	digits := strconv.FormatUint(amount, 10)
	if short := decimals + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	whole, part := digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	return minus + symbol(m.Currency) + whole
}

// symbol is how a currency is written before an amount: by a sign where there
// is only one it can be.
func symbol(code string) string {
	switch code {
	case "EUR":
		return "€"
	case "GBP":
		return "£"
	}
	return code + "\u00a0"
}

func civil(d hotel.Date) time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// long is a date in full: 10 January 2027.
func long(d hotel.Date) string { return civil(d).Format("2 January 2006") }

// count is a number of things: 1 night, 2 nights.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
