package hotel_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
)

func date(t *testing.T, s string) hotel.Date {
	t.Helper()
	d, err := hotel.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTodayIsTheDayInUTC(t *testing.T) {
	west := time.FixedZone("west", -8*3600)
	late := time.Date(2027, 1, 9, 23, 0, 0, 0, west) // 2027-01-10 07:00 UTC
	if got := hotel.Today(late).String(); got != "2027-01-10" {
		t.Errorf("today is %s, want 2027-01-10", got)
	}
}

func TestStayCheck(t *testing.T) {
	const today = "2027-01-10"
	for name, c := range map[string]struct{ from, to, want string }{
		"one night from today is fine":                {"2027-01-10", "2027-01-11", ""},
		"thirty nights are fine":                      {"2027-01-10", "2027-02-09", ""},
		"thirty-one nights are too many":              {"2027-01-10", "2027-02-10", "31 nights"},
		"arriving yesterday is refused":               {"2027-01-09", "2027-01-12", "in the past"},
		"leaving on the day of arrival is refused":    {"2027-01-12", "2027-01-12", "must be after"},
		"leaving before arriving is refused":          {"2027-01-12", "2027-01-11", "must be after"},
		"a night over the end of a year is a night":   {"2027-12-31", "2028-01-01", ""},
		"a leap day counts":                           {"2028-02-28", "2028-03-29", ""},
		"a leap day counts against the bound as well": {"2028-02-28", "2028-03-30", "31 nights"},
	} {
		t.Run(name, func(t *testing.T) {
			err := hotel.Stay{From: date(t, c.from), To: date(t, c.to)}.Check(date(t, today))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
	for name, stay := range map[string]hotel.Stay{
		"a missing arrival is named":   {To: date(t, "2027-01-12")},
		"a missing departure is named": {From: date(t, "2027-01-12")},
	} {
		t.Run(name, func(t *testing.T) {
			if err := stay.Check(date(t, today)); err == nil || !strings.Contains(err.Error(), "missing") {
				t.Errorf("error %v, want one that says missing", err)
			}
		})
	}
}

func TestDatesOnTheWireAreISO(t *testing.T) {
	var stay hotel.Stay
	if err := json.Unmarshal([]byte(`{"from":"2027-01-10","to":"2027-01-12"}`), &stay); err != nil {
		t.Fatal(err)
	}
	if stay.Nights() != 2 {
		t.Errorf("%d nights, want 2", stay.Nights())
	}
	if out, _ := json.Marshal(stay); string(out) != `{"from":"2027-01-10","to":"2027-01-12"}` {
		t.Errorf("written back as %s", out)
	}
	for _, bad := range []string{`"2027-1-10"`, `"10.1.2027"`, `"2027-02-30"`, `"2027-01-10T00:00:00Z"`, `""`, `20270110`} {
		if err := json.Unmarshal([]byte(`{"from":`+bad+`}`), &stay); err == nil {
			t.Errorf("%s was taken for a date", bad)
		}
	}
}

func TestIDsAreLettersDigitsDotsUnderscoresAndHyphens(t *testing.T) {
	for _, good := range []string{"h-1", "r-ABC_def", "g-7", "demo", "a.b", strings.Repeat("x", 64)} {
		if !hotel.ValidID(good) {
			t.Errorf("%q was refused", good)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "a b", "a/b", "a'b", "a%2fb", "ä", "a\x00", strings.Repeat("x", 65)} {
		if hotel.ValidID(bad) {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestAmountsHaveTheirCurrencysDecimals(t *testing.T) {
	for currency, want := range map[string]int{"EUR": 2, "RSD": 2, "IDR": 2, "JPY": 0, "ISK": 0, "KWD": 3, "CLF": 4} {
		if got := (hotel.Money{Currency: currency}).Decimals(); got != want {
			t.Errorf("%s has %d decimals, want %d", currency, got, want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2027-01-10", "2028-02-29", "0000-01-01", "9999-12-31", "1969-12-31", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := hotel.ParseDate(s)
		if err == nil && d.String() != s {
			t.Errorf("%q came back as %q", s, d)
		}
	})
}
