package payments

import (
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
)

func TestACardIsChecked(t *testing.T) {
	now := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	base := hotel.Card{Number: "4242424242424242", Expiry: "01/27", Code: "123"}
	with := func(change func(*hotel.Card)) hotel.Card { c := base; change(&c); return c }
	for name, c := range map[string]struct {
		card hotel.Card
		want string
	}{
		"one that is good until tonight":   {base, ""},
		"one of American Express":          {with(func(c *hotel.Card) { c.Number, c.Code = "378282246310005", "1234" }), ""},
		"one with nineteen digits":         {with(func(c *hotel.Card) { c.Number = "6304000000000000000" }), ""},
		"two digits that changed places":   {with(func(c *hotel.Card) { c.Number = "2442424242424242" }), "mistyped"},
		"spaces":                           {with(func(c *hotel.Card) { c.Number = "4242 4242 4242 4242" }), "digits"},
		"digits of another script":         {with(func(c *hotel.Card) { c.Number = "٤٢٤٢٤٢٤٢٤٢٤٢" }), "digits"},
		"too long":                         {with(func(c *hotel.Card) { c.Number += "42424242" }), "digits"},
		"nothing":                          {hotel.Card{}, "digits"},
		"last month":                       {with(func(c *hotel.Card) { c.Expiry = "12/26" }), "has expired"},
		"a date with a sign":               {with(func(c *hotel.Card) { c.Expiry = "+1/27" }), "MM/YY"},
		"a year in full":                   {with(func(c *hotel.Card) { c.Expiry = "01/2027" }), "MM/YY"},
		"month nought":                     {with(func(c *hotel.Card) { c.Expiry = "00/28" }), "mistyped"},
		"a year too far":                   {with(func(c *hotel.Card) { c.Expiry = "01/48" }), "mistyped"},
		"a code that is none":              {with(func(c *hotel.Card) { c.Code = "12" }), "security code"},
		"the name of a family of nobility": {with(func(c *hotel.Card) { c.Holder = strings.Repeat("von ", 30) }), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkCard(c.card, now)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
	if err := checkCard(base, now.Add(time.Second)); err == nil {
		t.Error("it is good in the month after it")
	}
}

func FuzzCheckCard(f *testing.F) {
	for _, c := range []hotel.Card{
		{Number: "4242424242424242", Expiry: "12/40", Code: "123"},
		{Number: "378282246310005", Expiry: "01/27", Code: "1234", Holder: "A. Guest"},
		{Number: "4242424242424241", Expiry: "13/40", Code: "12"},
		{Number: "424242424242424²", Expiry: "1²/40", Code: "1²"},
	} {
		f.Add(c.Number, c.Expiry, c.Code, c.Holder)
	}
	now := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, number, expiry, code, holder string) {
		c := hotel.Card{Number: number, Expiry: expiry, Code: code, Holder: holder}
		if err := checkCard(c, now); err != nil {
			if len(number) >= leastDigits && strings.Contains(err.Error(), number) {
				t.Fatalf("the error repeats the number: %v", err)
			}
			return
		}
		if strings.Trim(number, "0123456789") != "" || len(number) < leastDigits || len(number) > mostDigits || len(last4(c)) != 4 {
			t.Errorf("%q was taken for a number", number)
		}
		month, err := time.Parse("01/06", expiry)
		if err != nil || month.AddDate(0, 1, 0).Before(now) {
			t.Errorf("%q was taken for an expiry to come", expiry)
		}
		// One digit changed is always found.
		at := len(number) / 2
		c.Number = number[:at] + string('0'+(number[at]-'0'+1)%10) + number[at+1:]
		if checkCard(c, now) == nil {
			t.Errorf("%q was taken as well as %q", c.Number, number)
		}
	})
}

func TestPrices(t *testing.T) {
	for want, m := range map[string]hotel.Money{
		"EUR 200.00": {Amount: 20000, Currency: "EUR"},
		"EUR 0.05":   {Amount: 5, Currency: "EUR"},
		"JPY 500":    {Amount: 500, Currency: "JPY"},
		"KWD 0.005":  {Amount: 5, Currency: "KWD"},
	} {
		if got := price(m); got != want {
			t.Errorf("%+v is written %q, want %q", m, got, want)
		}
	}
}
