package users

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"portcullis/services/hotel"
)

// words is what a mail says.
type words struct {
	Subject, Title string
	Says           []string
	Facts          []fact
	// Button and Link are what to click; none if empty.
	Button, Link string
	// After stands below.
	After []string
	From  string
}

type fact struct{ Name, Value string }

// signature ends every mail.
const signature = "Portcullis Hotels"

// guestWords tells a guest. Nothing in it was typed by the guest: who gives
// another's address as their own must not be able to write to them.
func (s *Service) guestWords(t told, receipt bool) words {
	r := t.about
	w := words{Facts: stayFacts(r), Button: "My bookings", Link: s.config.Bookings, From: signature}
	if t.kind == hotel.BookingCancelled {
		w.Subject = "Your booking at " + house(r) + " is cancelled"
		w.Title = "Your booking is cancelled"
		w.Says = []string{"You have cancelled this booking. The room is free again for somebody else, and you need not do anything."}
		if byCard(r) {
			w.Says = append(w.Says, "What you paid, "+money(r.Total)+", goes back to your card. Banks take some days to show it.")
		}
		w.After = []string{"If it was not you, sign in and look at your bookings, then choose a new password."}
		return w
	}
	w.Subject = "Your booking at " + house(r) + " is confirmed"
	w.Title = "Your booking is confirmed"
	w.Says = []string{"We look forward to seeing you at " + house(r) + "."}
	w.After = []string{"Plans change: you can cancel until the day you arrive, on the page of your bookings."}
	switch {
	case receipt:
		w.Says[0] += " Your receipt comes with this mail."
	default:
		w.After = append(w.After, "The receipt is not ready yet. You find it on the same page as soon as it is.")
	}
	return w
}

// hotelWords tells the desk, which knows nothing of the guest but this.
func hotelWords(t told) words {
	r := t.about
	w := words{Facts: append([]fact{{"Guest", orNone(plain(r.Name, hotel.MaxName))}}, stayFacts(r)...), From: signature + ", notice to the hotel"}
	if note := plain(r.Note, hotel.MaxNote); note != "" {
		w.Facts = append(w.Facts, fact{"Note", note})
	}
	nights := count(r.Nights(), "night")
	if t.kind == hotel.BookingCancelled {
		w.Subject = "Cancelled: " + r.ID + ", " + nights + " from " + short(r.From)
		w.Title = "A booking is cancelled"
		w.Says = []string{"The guest has cancelled. The room is free again."}
		return w
	}
	w.Subject = "Booked: " + r.ID + ", " + nights + " from " + short(r.From)
	w.Title = "A room is booked"
	w.Says = []string{"Please have it ready on the day of arrival."}
	return w
}

func stayFacts(r hotel.Reservation) []fact {
	name := house(r)
	if city := plain(r.City, hotel.MaxName); city != "" {
		name += ", " + city
	}
	return []fact{
		{"Hotel", name},
		{"Arrival", long(r.From)},
		{"Departure", long(r.To)},
		{"Stay", count(r.Nights(), "night") + ", " + count(r.Guests, "guest")},
		{"Total", money(r.Total)},
		{"Payment", payment(r)},
		{"Booking", r.ID},
	}
}

func payment(r hotel.Reservation) string {
	switch {
	case !byCard(r):
		return "at the hotel"
	case len(r.Payment.Last4) == 4 && strings.Trim(r.Payment.Last4, "0123456789") == "":
		return "by card ending in " + r.Payment.Last4
	}
	return "by card"
}

func byCard(r hotel.Reservation) bool { return r.Payment != nil && r.Payment.Method == hotel.ByCard }

// house is what the hotel is called.
func house(r hotel.Reservation) string {
	if name := plain(r.HotelName, hotel.MaxName); name != "" {
		return name
	}
	return "hotel " + r.Hotel
}

func orNone(text string) string {
	if text == "" {
		return "no name given"
	}
	return text
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// plain is one line of what can be seen, at most so many runes of it.
func plain(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return text
}

func day(d hotel.Date) time.Time { return time.Unix(int64(d)*24*3600, 0).UTC() }

func long(d hotel.Date) string  { return day(d).Format("Monday, 2 January 2006") }
func short(d hotel.Date) string { return day(d).Format("2 January 2006") }

// money writes an amount as people do.
func money(m hotel.Money) string {
	digits := m.Decimals()
	sign, amount := "", uint64(m.Amount)
	if m.Amount < 0 {
		sign, amount = "-", uint64(-m.Amount)
	}
	text := fmt.Sprintf("%0*d", digits+1, amount)
	whole, rest := text[:len(text)-digits], text[len(text)-digits:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if digits > 0 {
		whole += "." + rest
	}
	return sign + whole + " " + plain(m.Currency, 3)
}

// text is the mail for whoever reads no HTML.
func (w words) text() string {
	var b strings.Builder
	b.WriteString(w.Title + "\n\n")
	for _, p := range w.Says {
		b.WriteString(p + "\n\n")
	}
	wide := 0
	for _, f := range w.Facts {
		wide = max(wide, len(f.Name))
	}
	for _, f := range w.Facts {
		fmt.Fprintf(&b, "  %-*s  %s\n", wide+1, f.Name+":", f.Value)
	}
	b.WriteString("\n")
	if w.Link != "" {
		b.WriteString(w.Button + ": " + w.Link + "\n\n")
	}
	for _, p := range w.After {
		b.WriteString(p + "\n\n")
	}
	b.WriteString(w.From + "\n")
	return b.String()
}

//go:embed letter.html
var letterHTML string

func parseLetters() (*template.Template, error) {
	return template.New("letter").Parse(letterHTML)
}

func (w words) html(t *template.Template) (string, error) {
	var out bytes.Buffer
	if err := t.Execute(&out, w); err != nil {
		return "", fmt.Errorf("write a mail: %w", err)
	}
	return out.String(), nil
}
