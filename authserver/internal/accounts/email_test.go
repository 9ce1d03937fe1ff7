package accounts

import (
	"net/mail"
	"strings"
	"testing"
)

func TestOneAddressHasOneSpelling(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		" Ada@Hotel.Example\t":      "ada@hotel.example",
		"ada+tag@hotel.example":     "ada+tag@hotel.example",
		"jose\u0301@hotel.example":  "jos\u00e9@hotel.example", // composed
		"JOS\u00c9@hotel.example":   "jos\u00e9@hotel.example",
		"mi\u212ae@hotel.example":   "mike@hotel.example", // the Kelvin sign
		"ada@B\u00fccher.example":   "ada@xn--bcher-kva.example",
		"ada@xn--bcher-kva.example": "ada@xn--bcher-kva.example",
		"o'brien@hotel.example":     "o'brien@hotel.example",
		"ada@localhost":             "ada@localhost",
	} {
		if got, ok := NormalizeEmail(typed); !ok || got != want {
			t.Errorf("%q is %q, %v; want %q", typed, got, ok, want)
		}
	}
}

// FuzzNormalizeEmail: what is taken is one plain address for any mail program,
// and is its own normal form.
func FuzzNormalizeEmail(f *testing.F) {
	for _, seed := range []string{"Ada@Hotel.Example", "a@b\r\nBcc: c@d", `"a b"@c`, "a@[1.2.3.4]", "\u0130@x.example", "a@\u2126.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, ok := NormalizeEmail(typed)
		if !ok {
			return
		}
		parsed, err := mail.ParseAddressList(got)
		if err != nil || len(parsed) != 1 || parsed[0].Address != got || parsed[0].Name != "" || len(got) > maxEmail {
			t.Fatalf("%q is taken as %q, which reads as %v: %v", typed, got, parsed, err)
		}
		if strings.ContainsAny(got, "\r\n\x00 ,;<>\"") || strings.Count(got, "@") != 1 {
			t.Fatalf("%q is taken as %q", typed, got)
		}
		if again, ok := NormalizeEmail(got); !ok || again != got {
			t.Fatalf("%q is taken as %q, and that as %q", typed, got, again)
		}
	})
}

func TestTheListOfCommonPasswordsHasNoneThatCannotMatch(t *testing.T) {
	t.Parallel()
	for _, each := range commonPasswords() {
		if why := checkPassword(each, "ada@hotel.example"); !strings.Contains(why, "one of the first") {
			t.Errorf("%q: %q", each, why)
		}
		if why := checkPassword(strings.ToUpper(each), ""); why == "" {
			t.Errorf("%q in capitals is taken", each)
		}
	}
}
