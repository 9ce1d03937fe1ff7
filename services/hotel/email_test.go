package hotel_test

import (
	"strings"
	"testing"

	"portcullis/services/hotel"
)

func TestAnAddressCannotBecomeAnotherHeaderOrRecipient(t *testing.T) {
	for _, good := range []string{"ada@example.com", "a.b+c@xn--bcher-kva.example", "o'hara@a.b"} {
		if !hotel.ValidEmail(good) {
			t.Errorf("%q was refused", good)
		}
	}
	for _, bad := range []string{
		"", "ada", "@example.com", "ada@", "Ada <ada@example.com>", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com",
		`"a b"@example.com`, "ada(x)@example.com", "ädä@example.com", "ada@-example.com", "ada@exa_mple.com", "a@b@c.example", strings.Repeat("a", 250) + "@b.example",
	} {
		if hotel.ValidEmail(bad) {
			t.Errorf("%q was taken", bad)
		}
	}
}
