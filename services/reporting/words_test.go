package reporting

import (
	"strings"
	"testing"

	"portcullis/services/hotel"
)

func TestMoney(t *testing.T) {
	for want, m := range map[string]hotel.Money{
		"€0.00":                  {Amount: 0, Currency: "EUR"},
		"€0.05":                  {Amount: 5, Currency: "EUR"},
		"€1.00":                  {Amount: 100, Currency: "EUR"},
		"£999.99":                {Amount: 99999, Currency: "GBP"},
		"CHF\u00a01,000.00":      {Amount: 100000, Currency: "CHF"},
		"−€1,234,567.89":         {Amount: -123456789, Currency: "EUR"},
		"JPY\u00a01,234":         {Amount: 1234, Currency: "JPY"},
		"KWD\u00a00.001":         {Amount: 1, Currency: "KWD"},
		"RSD\u00a0298.00":        {Amount: 29800, Currency: "RSD"},
		"−USD\u00a00.99":         {Amount: -99, Currency: "USD"},
		"€92,233,720,368,547.58": {Amount: 9223372036854758, Currency: "EUR"},
	} {
		if got := money(m); got != want {
			t.Errorf("%+v is written %q, want %q", m, got, want)
		}
	}
}

func TestCleanTextShowsWhatItLacks(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"  a \n\t b\u00a0c\u2028 ":      "a b c",
		"Ångström Ωμέγα Щука":           "Ångström Ωμέγα Щука",
		"e\u0301":                       "é",
		"👩🏽‍🚀!":                         "□□!",
		"שלום":                          "□□□□",
		"\u202eevil":                    "□evil",
		"a\x00b\x1bc\u007f":             "a□b□c□",
		"\xff":                          "□",
		"\ufffd":                        "□",
		"\ue000":                        "□",
		"日本":                            "□□",
		"no\u00adbreak\u200bhere\ufeff": "no□break□here□",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if again := clean(clean(text)); again != clean(text) {
			t.Errorf("%q becomes %q at the second time", text, again)
		}
	}
}

func TestWrapping(t *testing.T) {
	w, err := typefaces()
	if err != nil {
		t.Fatal(err)
	}
	st := style{face: w.regular, size: 10 * pt}
	const width = 100 * pt
	for _, text := range []string{
		"", "a", "some words that take more than a line of that width", strings.Repeat("W", 100), "a " + strings.Repeat("Щ", 50) + " b",
		strings.Repeat("a ", 60) + "a",
	} {
		lines := wrap(text, st, width)
		for _, line := range lines {
			if st.width(line) > width {
				t.Errorf("%q is wider than a line", line)
			}
		}
		if strings.ReplaceAll(strings.Join(lines, ""), " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q became %q", text, lines)
		}
	}
	if lines := wrap("WW", st, pt); len(lines) != 2 {
		t.Errorf("what fits nowhere became %q", lines)
	}
}
