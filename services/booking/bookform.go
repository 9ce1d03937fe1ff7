package booking

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"portcullis/services/hotel"
)

// bookForm is a booking as it is typed. Of a card nothing but the holder's name
// is ever sent back to the browser.
type bookForm struct {
	// Key makes sending the form twice do what sending it once does. It is made
	// with the form, and holds when.
	Key string
	// Expect is the total that the guest sees: at any other price nothing is
	// booked.
	Expect string
	Name   string
	Note   string
	Pay    string // card or hotel
	Holder string
	Wrong  map[string]string
}

// The ways to pay, as the form has them.
const (
	payCard  = "card"
	payHotel = "hotel"
)

// newKey makes the key of one booking: when its form was made, and chance.
func newKey(now time.Time) string {
	return "b-" + strconv.FormatInt(now.Unix(), 36) + "-" + rand.Text()
}

// keyTime is when a form was made; ok is false for a key that is not ours.
func keyTime(key string) (made time.Time, ok bool) {
	rest, found := strings.CutPrefix(key, "b-")
	stamp, chance, cut := strings.Cut(rest, "-")
	seconds, err := strconv.ParseInt(stamp, 36, 64)
	if !found || !cut || err != nil || len(chance) != 26 || !hotel.ValidID(key) {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

func writeExpect(m hotel.Money) string { return fmt.Sprintf("%d %s", m.Amount, m.Currency) }

func readExpect(text string) (hotel.Money, bool) {
	amount, currency, ok := strings.Cut(text, " ")
	n, err := strconv.ParseInt(amount, 10, 64)
	if !ok || err != nil || n <= 0 || len(currency) != 3 || strings.ContainsFunc(currency, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return hotel.Money{}, false
	}
	return hotel.Money{Amount: n, Currency: currency}, true
}

// readBooking reads what was sent, and says beside each field what is wrong.
func readBooking(f form, now time.Time) (b bookForm, card *hotel.Card) {
	b = bookForm{
		Key: f["key"], Expect: f["expect"], Name: f["name"], Note: f["note"], Pay: f["pay"], Holder: f["card_holder"], Wrong: map[string]string{},
	}
	if _, ok := keyTime(b.Key); !ok {
		b.Key = newKey(now)
	}
	switch {
	case b.Name == "":
		b.Wrong["name"] = "Who will arrive? The reception asks for this name."
	case !line(b.Name, hotel.MaxName):
		b.Wrong["name"] = "A name has at most " + strconv.Itoa(hotel.MaxName) + " characters, on one line."
	}
	if n := utf8.RuneCountInString(b.Note); n > hotel.MaxNote {
		b.Wrong["note"] = fmt.Sprintf("Your note has %d characters; %d fit.", n, hotel.MaxNote)
	}
	switch b.Pay {
	case payHotel:
	case payCard:
		card = b.readCard(f, now)
	default:
		b.Wrong["pay"] = "Choose how you would like to pay."
	}
	return b, card
}

func (b *bookForm) readCard(f form, now time.Time) *hotel.Card {
	card := &hotel.Card{
		Number: strings.NewReplacer(" ", "", "-", "").Replace(f["card_number"]),
		Expiry: strings.ReplaceAll(f["card_expiry"], " ", ""),
		Code:   f["card_code"],
		Holder: b.Holder,
	}
	switch {
	case card.Number == "":
		b.Wrong["card_number"] = "Fill in the number on your card."
	case !digits(card.Number, 12, 19):
		b.Wrong["card_number"] = "A card number has 12 to 19 digits."
	case !hotel.Luhn(card.Number):
		b.Wrong["card_number"] = "A digit of this number is wrong. Check it against your card."
	}
	month, ok := expiry(&card.Expiry)
	switch {
	case !ok:
		b.Wrong["card_expiry"] = "Write month and year as on the card, such as 09/29."
	case !month.After(now):
		b.Wrong["card_expiry"] = "This card has expired."
	}
	if !digits(card.Code, 3, 4) {
		b.Wrong["card_code"] = "The 3 or 4 digits on the back."
	}
	if !line(card.Holder, hotel.MaxName) {
		b.Wrong["card_holder"] = "A name has at most " + strconv.Itoa(hotel.MaxName) + " characters, on one line."
	}
	return card
}

func digits(text string, least, most int) bool {
	return len(text) >= least && len(text) <= most && !strings.ContainsFunc(text, func(c rune) bool { return c < '0' || c > '9' })
}

// expiry reads MM/YY, MMYY or MM/YYYY, writes it as MM/YY, and returns the
// moment from which the card is of no use.
func expiry(text *string) (end time.Time, ok bool) {
	month, year, cut := strings.Cut(*text, "/")
	if !cut && len(*text) == 4 {
		month, year = (*text)[:2], (*text)[2:]
	}
	if len(year) == 4 && strings.HasPrefix(year, "20") {
		year = year[2:]
	}
	if len(month) == 1 {
		month = "0" + month
	}
	if !digits(month, 2, 2) || !digits(year, 2, 2) || month < "01" || month > "12" {
		return end, false
	}
	*text = month + "/" + year
	m, _ := strconv.Atoi(month)
	y, _ := strconv.Atoi(year)
	return time.Date(2000+y, time.Month(m)+1, 1, 0, 0, 0, 0, time.UTC), true
}
