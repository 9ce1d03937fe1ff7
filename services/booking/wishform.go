package booking

import (
	"strconv"
	"strings"
	"time"

	"portcullis/services/hotel"
)

// maxCity bounds a city's name, in runes, as search does.
const maxCity = 64

// wishForm is a search as it was typed, with what is wrong beside each field.
type wishForm struct {
	City, From, To, Guests string
	Wrong                  map[string]string
	// First and Last bound the days that can be chosen.
	First, Last string
	// Action is where the form is sent; Plain leaves the city out.
	Action string
	Plain  bool
	// Button is what it says.
	Button string
}

// typed reads a search. A form that was not filled in has sensible dates.
func (v *visit) typed(q form) wishForm {
	today := v.today()
	f := wishForm{
		City: q["city"], From: q["from"], To: q["to"], Guests: q["guests"], Wrong: map[string]string{},
		First: today.String(), Last: (today + 365).String(), Action: "/search", Button: "Find rooms",
	}
	if f.From == "" && f.To == "" {
		friday := weekend(today)
		f.From, f.To = friday.String(), (friday + 2).String()
	}
	if f.Guests == "" {
		f.Guests = "2"
	}
	return f
}

// weekend is the first Friday that is at least a week away.
func weekend(today hotel.Date) hotel.Date {
	d := today + 7
	for when(d).Weekday() != time.Friday {
		d++
	}
	return d
}

// wish checks what was typed, and says beside each field what is wrong.
func (f *wishForm) wish(today hotel.Date) (w wish, ok bool) {
	w.City = f.City
	switch {
	case f.Plain:
	case w.City == "":
		f.Wrong["city"] = "Which city would you like to go to?"
	case !line(w.City, maxCity):
		f.Wrong["city"] = "This is too long for the name of a city."
	}
	var err error
	if w.From, err = hotel.ParseDate(f.From); err != nil {
		f.Wrong["from"], f.From = "Choose the day you arrive.", "" // a field for days cannot show it

	}
	if w.To, err = hotel.ParseDate(f.To); err != nil {
		f.Wrong["to"], f.To = "Choose the day you leave.", ""
	}
	if f.Wrong["from"] == "" && w.From < today {
		f.Wrong["from"] = "This day has passed; today is " + day(today) + "."
	}
	if f.Wrong["from"] == "" && f.Wrong["to"] == "" {
		switch {
		case w.From > today+2*365:
			f.Wrong["from"] = "That is too far ahead."
		case w.To <= w.From:
			f.Wrong["to"] = "Leave at least one day after you arrive."
		case w.Nights() > hotel.MaxNights:
			f.Wrong["to"] = "At most " + strconv.Itoa(hotel.MaxNights) + " nights can be booked at once."
		}
	}
	w.Guests, err = strconv.Atoi(strings.TrimSpace(f.Guests))
	if err != nil || hotel.CheckGuests(w.Guests) != nil {
		f.Wrong["guests"] = "Choose 1 to " + strconv.Itoa(hotel.MaxGuests) + " guests."
	}
	return w, len(f.Wrong) == 0
}
