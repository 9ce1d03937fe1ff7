package reporting

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/currency"

	"portcullis/services/hotel"
)

const (
	// maxGuest bounds a guest, who is the subject of a token, in bytes.
	maxGuest = 255
	// maxText bounds a text of which no contract says how long it is, in runes.
	maxText = 200
	// maxLines bounds a statement: sixteen payments a day.
	maxLines = 500
	// maxAmount bounds an amount, in minor units, so that sums cannot overflow
	// and columns hold.
	maxAmount = 1_000_000_000_000
)

// check says what keeps a request from becoming a document. The error is fit
// for the caller's eyes.
func check(r hotel.DocumentRequest) error {
	switch {
	case !hotel.ValidID(r.ID):
		return errors.New("id is missing or is not an identifier")
	case r.Guest == "" || len(r.Guest) > maxGuest:
		return fmt.Errorf("guest must have 1 to %d bytes", maxGuest)
	case r.Date <= 0:
		return errors.New("date is missing: give the day of the document as YYYY-MM-DD")
	}
	if err := fits("name", r.Name, hotel.MaxName); err != nil {
		return err
	}
	switch r.Kind {
	case hotel.Receipt, hotel.Confirmation:
		if len(r.Lines) > 0 || r.Name != "" {
			return errors.New("lines and name belong to a statement")
		}
		return checkReservation(r)
	case hotel.Statement:
		if r.Reservation != nil {
			return errors.New("reservation belongs to a receipt or a confirmation")
		}
		return checkLines(r.Lines)
	}
	return fmt.Errorf("kind must be %s, %s or %s", hotel.Receipt, hotel.Confirmation, hotel.Statement)
}

func checkReservation(r hotel.DocumentRequest) error {
	b := r.Reservation
	switch {
	case b == nil:
		return errors.New("reservation is missing")
	case !hotel.ValidID(b.ID):
		return errors.New("reservation.id is missing or is not an identifier")
	case b.Guest != r.Guest:
		return errors.New("reservation.guest is another guest")
	case b.From <= 0 || b.From >= b.To || b.Nights() > hotel.MaxNights:
		return fmt.Errorf("reservation.from and reservation.to must be 1 to %d nights apart", hotel.MaxNights)
	case b.Total.Amount < 0:
		return errors.New("reservation.total.amount is negative")
	}
	if err := hotel.CheckGuests(b.Guests); err != nil {
		return fmt.Errorf("reservation.%w", err)
	}
	if err := checkMoney("reservation.total", b.Total); err != nil {
		return err
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{
		{"reservation.hotel", b.Hotel, maxText},
		{"reservation.hotel_name", b.HotelName, maxText},
		{"reservation.city", b.City, maxText},
		{"reservation.partner", b.Partner, maxText},
		{"reservation.reason", b.Reason, maxText},
		{"reservation.receipt", b.Receipt, maxText},
		{"reservation.state", string(b.State), maxText},
		{"reservation.name", b.Name, hotel.MaxName},
		{"reservation.note", b.Note, hotel.MaxNote},
	} {
		if err := fits(text.field, text.value, text.most); err != nil {
			return err
		}
	}
	if b.Hotel == "" {
		return errors.New("reservation.hotel is missing")
	}
	return checkPayment(b.Payment)
}

// checkPayment takes no more of a card than its last four digits: a number that
// came here by mistake must not end in a database.
func checkPayment(p *hotel.Payment) error {
	if p == nil {
		return nil
	}
	if p.Last4 != "" && (len(p.Last4) != 4 || strings.Trim(p.Last4, "0123456789") != "") {
		return errors.New("reservation.payment.last4 must be four digits")
	}
	if err := fits("reservation.payment.declined", p.Declined, maxText); err != nil {
		return err
	}
	return fits("reservation.payment", string(p.Method)+string(p.Status), maxText)
}

func checkLines(lines []hotel.StatementLine) error {
	if len(lines) == 0 || len(lines) > maxLines {
		return fmt.Errorf("lines has %d entries: a statement has 1 to %d", len(lines), maxLines)
	}
	for i, l := range lines {
		if l.Date <= 0 {
			return fmt.Errorf("lines[%d].date is missing", i)
		}
		if l.Text == "" {
			return fmt.Errorf("lines[%d].text is missing", i)
		}
		if err := fits(fmt.Sprintf("lines[%d].text", i), l.Text, maxText); err != nil {
			return err
		}
		if err := checkMoney(fmt.Sprintf("lines[%d].amount", i), l.Amount); err != nil {
			return err
		}
	}
	return nil
}

func checkMoney(field string, m hotel.Money) error {
	if m.Amount > maxAmount || m.Amount < -maxAmount {
		return fmt.Errorf("%s.amount is more than a document holds", field)
	}
	if unit, err := currency.ParseISO(m.Currency); err != nil || unit.String() != m.Currency {
		return fmt.Errorf("%s.currency is not a currency of ISO 4217", field)
	}
	return nil
}

func fits(field, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("%s has %d characters: at most %d fit", field, n, most)
	}
	return nil
}
