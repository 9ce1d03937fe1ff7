package reporting

import (
	"fmt"
	"strings"

	"portcullis/services/hotel"
)

// stay sets a receipt or a confirmation.
func (s *sheet) stay(r hotel.DocumentRequest) {
	b := r.Reservation
	s.page()
	s.head(r.Kind, r.Date, clean(hotelName(b)), clean(b.City))
	if r.Kind == hotel.Confirmation {
		s.y -= 12 * pt
		s.paragraph(left, s.body(), 15*pt, []string{"Your room is booked, and the hotel expects you."})
		s.y += 26 * pt
	}

	middle := left + (right-left)*62/100
	name := clean(b.Name)
	if name == "" {
		name = "\u2014"
	}
	st := s.body()
	st.size = 1150
	end := s.field(left, s.y, middle-left-24*pt, "Guest", name, st)
	s.y = max(end, s.field(middle, s.y, right-middle, "Reservation", b.ID, st))
	s.y += 26 * pt

	s.nights(b)
	s.price(b)
	s.payment(b)
	if note := clean(b.Note); note != "" && r.Kind == hotel.Confirmation {
		s.y += 26 * pt
		s.need(34 * pt)
		s.text(left, s.y+s.label().size, s.label(), "YOUR NOTE TO THE HOTEL")
		s.y += 15 * pt
		s.paragraph(left, s.body(), 15*pt, wrap(note, s.body(), right-left-40*pt))
	}
}

// nights shows the stay: the two days as a calendar would, and how long.
func (s *sheet) nights(b *hotel.Reservation) {
	s.need(132 * pt)
	s.line(left, right, s.y, 50, rule())
	top := s.y + 22*pt
	third := (right - left) / 3
	for i, d := range []struct {
		label string
		date  hotel.Date
	}{{"Arrival", b.From}, {"Departure", b.To}} {
		day := civil(d.date)
		s.number(left+third*length(i), top, d.label, day.Format("2"), day.Format("January 2006"), day.Format("Monday"))
	}
	n := count(b.Nights(), "night")
	figure, unit, _ := strings.Cut(n, " ")
	s.number(left+2*third, top, "Stay", figure, unit, count(b.Guests, "guest"))
	s.y = top + 62*pt + 18*pt
	s.line(left, right, s.y, 50, rule())
	s.y += 30 * pt
}

// number is a large figure with two lines beside it.
func (s *sheet) number(x, y length, label, figure, first, second string) {
	s.text(x, y+s.label().size, s.label(), upper(label))
	base := y + 56*pt
	s.text(x-100, base, s.figure().in(accent()), figure)
	beside := x + s.figure().width(figure) + 8*pt
	s.text(beside, base-15*pt, s.strong(), first)
	s.text(beside, base-pt, s.small(), second)
}

// price is the table of one line, and the total. It stays on one page, with how
// it is paid.
func (s *sheet) price(b *hotel.Reservation) {
	s.need(160 * pt)
	s.text(left, s.y+s.label().size, s.label(), "DESCRIPTION")
	s.rightText(right, s.y+s.label().size, s.label(), "AMOUNT")
	s.y += 24 * pt

	what := "Room for " + count(b.Guests, "guest") + ", " + count(b.Nights(), "night")
	s.text(left, s.y+s.body().size, s.body(), what)
	s.rightText(right, s.y+s.body().size, s.body(), money(b.Total))
	if each := int64(b.Nights()); each > 1 && b.Total.Amount%each == 0 {
		s.y += 14 * pt
		night := hotel.Money{Amount: b.Total.Amount / each, Currency: b.Total.Currency}
		s.text(left, s.y+s.body().size, s.small(), fmt.Sprintf("%s a night", money(night)))
	}
	s.y += 24 * pt
	s.line(left, right, s.y, 100, ink())
	s.y += 14 * pt
	total := s.lead()
	total.size = 22 * pt
	s.text(left, s.y+total.size, s.strong(), "Total")
	s.rightText(right, s.y+total.size, total, money(b.Total))
	s.y += 42 * pt
}

// payment is the line that says how it is paid.
func (s *sheet) payment(b *hotel.Reservation) {
	words, done := paid(b)
	x, y := left+5*pt, s.y+6*pt
	s.dot(x, y, 5*pt, accent(), done)
	if done {
		s.tick(x, y)
	}
	for _, line := range wrap(words, s.body(), right-left-18*pt) {
		s.text(left+18*pt, s.y+s.body().size-60, s.body(), line)
		s.y += 15 * pt
	}
	if b.State == hotel.Cancelled {
		words := "This reservation was cancelled."
		if b.Cancelled != nil {
			words = "This reservation was cancelled on " + b.Cancelled.UTC().Format("2 January 2006") + "."
		}
		s.text(left+18*pt, s.y+s.body().size-60, s.strong(), words)
		s.y += 15 * pt
	}
}

// paid says how a reservation is paid, and whether the money has come.
func paid(b *hotel.Reservation) (words string, done bool) {
	p := b.Payment
	if p == nil || p.Method == hotel.AtHotel {
		return "To be paid at the hotel", false
	}
	card := "card"
	if p.Last4 != "" {
		card += " ending in " + p.Last4
	}
	switch p.Status {
	case hotel.ChargeApproved:
		return "Paid by " + card, true
	case hotel.ChargeRefunded:
		return "Paid back to the " + card, false
	case hotel.ChargeVoided, hotel.ChargeDeclined:
		return "Nothing was charged to the " + card, false
	}
	return "Payment by " + card + " is not settled yet", false
}

// upper is for labels, which are ours and English.
func upper(label string) string { return strings.ToUpper(label) }
