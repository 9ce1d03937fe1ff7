package search

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"portcullis/services/hotel"
)

// maxCity bounds a city's name, in runes; the longest of any real one is 58
// letters.
const maxCity = 64

// query is what a guest looks for.
type query struct {
	city   string
	stay   hotel.Stay
	guests int
}

// parseQuery reads the parameters of a search, seen on the day today. Each may
// be given once; those it does not know are somebody else's. Guests are one if
// not given. The error is fit for the caller's eyes.
func parseQuery(values url.Values, today hotel.Date) (q query, err error) {
	for _, name := range []string{"city", "from", "to", "guests"} {
		if len(values[name]) > 1 {
			return q, fmt.Errorf("%s is given more than once", name)
		}
	}
	q.city = strings.TrimSpace(values.Get("city"))
	switch {
	case q.city == "":
		return q, errors.New("city is missing")
	case !utf8.ValidString(q.city), utf8.RuneCountInString(q.city) > maxCity, strings.ContainsFunc(q.city, func(r rune) bool { return r < ' ' }):
		return q, fmt.Errorf("city is not the name of a city: it may have at most %d characters", maxCity)
	}
	if q.stay.From, err = date(values, "from"); err != nil {
		return q, err
	}
	if q.stay.To, err = date(values, "to"); err != nil {
		return q, err
	}
	if err := q.stay.Check(today); err != nil {
		return q, err
	}
	q.guests = 1
	if text := values.Get("guests"); text != "" {
		if q.guests, err = strconv.Atoi(text); err != nil {
			return q, fmt.Errorf("guests must be a number from 1 to %d", hotel.MaxGuests)
		}
	}
	return q, hotel.CheckGuests(q.guests)
}

// date reads one date; a missing one is left for the stay's own check to name.
func date(values url.Values, name string) (hotel.Date, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := hotel.ParseDate(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}
