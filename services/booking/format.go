package booking

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"portcullis/services/hotel"
)

// brand is what the pages call the house.
const brand = "Portcullis Hotels"

// money writes an amount for people: €149, £112.50, SEK 1,390.
func money(m hotel.Money) string {
	digits := m.Decimals()
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	sign, amount := "", m.Amount
	if amount < 0 {
		sign, amount = "−", -amount
	}
	text := thousands(amount / unit)
	if part := amount % unit; part != 0 {
		text += fmt.Sprintf(".%0*d", digits, part)
	}
	switch m.Currency {
	case "EUR":
		return sign + "€" + text
	case "GBP":
		return sign + "£" + text
	case "USD":
		return sign + "$" + text
	}
	return sign + m.Currency + "\u00a0" + text
}

func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func when(d hotel.Date) time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// day is "Fri 10 Jan 2027", with spaces that do not break.
func day(d hotel.Date) string {
	return strings.ReplaceAll(when(d).Format("Mon 2 Jan 2006"), " ", "\u00a0")
}

// shortDay is "10 Jan".
func shortDay(d hotel.Date) string { return when(d).Format("2\u00a0Jan") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1\u00a0" + one
	}
	return strconv.Itoa(n) + "\u00a0" + many
}

// country names the countries that we and our partners are in, and any other by
// its code.
func country(code string) string {
	names := map[string]string{
		"FI": "Finland", "EE": "Estonia", "SE": "Sweden", "DK": "Denmark", "NO": "Norway", "DE": "Germany", "PT": "Portugal",
		"GB": "United Kingdom", "SI": "Slovenia", "AT": "Austria", "IS": "Iceland", "LV": "Latvia", "LT": "Lithuania", "PL": "Poland",
		"FR": "France", "NL": "Netherlands", "BE": "Belgium", "ES": "Spain", "IT": "Italy", "CZ": "Czechia", "IE": "Ireland", "CH": "Switzerland",
	}
	if name, ok := names[code]; ok {
		return name
	}
	return code
}

func functions() template.FuncMap {
	return template.FuncMap{
		"money": money, "day": day, "shortDay": shortDay, "country": country, "plural": plural,
		"weekday":   func(d hotel.Date) string { return when(d).Format("Monday") },
		"dayNum":    func(d hotel.Date) string { return when(d).Format("2") },
		"monthYear": func(d hotel.Date) string { return when(d).Format("Jan 2006") },
		"moment":    func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04") + " UTC" },
		"stamp":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock":     func(t *time.Time) string { return t.UTC().Format("15:04") },
		// wrong is what a template needs to say what is wrong beside a field.
		"wrong": func(all map[string]string, name string) map[string]string {
			return map[string]string{"name": name, "text": all[name]}
		},
		"both": func(o hotel.Offer, w wish) map[string]any { return map[string]any{"offer": o, "wish": w} },
		"numbers": func(from, to int) (all []int) {
			for n := from; n <= to; n++ {
				all = append(all, n)
			}
			return all
		},
	}
}
