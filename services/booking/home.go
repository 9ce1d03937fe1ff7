package booking

import (
	"net/http"
	"net/url"
)

// place is a city that the first page shows.
type place struct {
	City, Country, Line string
	// Art is the id of its picture, Href its search.
	Art, Href string
}

// places are cities in which we have hotels, with a line of their own.
func places() []place {
	return []place{
		{City: "Helsinki", Country: "Finland", Line: "Ferries, saunas, granite", Art: "city-helsinki-5"},
		{City: "Lisbon", Country: "Portugal", Line: "Tiles, stairs, the river", Art: "city-lisbon-21"},
		{City: "Reykjavík", Country: "Iceland", Line: "Basalt and green skies", Art: "city-reykjavik-3"},
		{City: "Edinburgh", Country: "United Kingdom", Line: "Closes, wynds, a volcano", Art: "city-edinburgh"},
		{City: "Copenhagen", Country: "Denmark", Line: "Harbour baths and attics", Art: "city-copenhagen-11"},
		{City: "Vienna", Country: "Austria", Line: "Coffee, then more coffee", Art: "city-vienna-9"},
		{City: "Ljubljana", Country: "Slovenia", Line: "Four dragons, one bridge", Art: "city-ljubljana"},
		{City: "Stockholm", Country: "Sweden", Line: "Fourteen islands", Art: "city-stockholm-15"},
	}
}

type homeData struct {
	Form   wishForm
	Places []place
}

// home serves GET /.
func (s *Service) home(v *visit) error {
	f := v.typed(form{})
	all := places()
	for i := range all {
		q := url.Values{"city": {all[i].City}, "from": {f.From}, "to": {f.To}, "guests": {f.Guests}}
		all[i].Href = "/search?" + q.Encode()
	}
	return v.show(http.StatusOK, "home", view{Title: "Rooms by the water", Kind: "home", Scripts: []string{"stay.js"}, Data: homeData{f, all}})
}
