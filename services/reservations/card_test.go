package reservations_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/services/hotel"
)

func TestPayingIsRefused(t *testing.T) {
	w := newWorld(t)
	with := func(old, replacement string) string {
		return strings.Replace(paying("h-1", good), old, replacement, 1)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"a card number with spaces":  {with(good, "4242 4242 4242 4242"), 422, "card's number"},
		"a card number too short":    {with(good, "42424242424"), 422, "card's number"},
		"a number instead of a text": {with(`"`+good+`"`, good), 422, "card"},
		"a month too many":           {with("11/77", "13/77"), 422, "card's expiry"},
		"a year in full":             {with("11/77", "11/2077"), 422, "card's expiry"},
		"a code of two digits":       {with("9091", "90"), 422, "card's code"},
		"a holder without end":       {with("Canary Holder", strings.Repeat("x", 101)), 422, "name on the card"},
		"a name that moves a cursor": {with("Zoë Guest", `\u001b[2J`), 422, "The name"},
		"an address with a name":     {with("zoe@canary.test", "Zoe <zoe@canary.test>"), 422, "e-mail"},
		"another price":              {with(`"guests"`, `"expect":{"amount":19999,"currency":"EUR"},"guests"`), 409, "price"},
		"another currency":           {with(`"guests"`, `"expect":{"amount":20000,"currency":"SEK"},"guests"`), 409, "price"},
		"a price of nothing":         {with(`"guests"`, `"expect":{"amount":0,"currency":"EUR"},"guests"`), 422, "expected price"},
		"a partner nobody knows":     {paying("baltic.h-1", good), 422, "cannot be booked"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.as("g-7", http.MethodPost, "/v1/reservations", c.body)
			if a.StatusCode != c.status || !strings.Contains(string(a.Body), c.says) {
				t.Errorf("answer %d %s, want %d that says %q", a.StatusCode, a.Body, c.status, c.says)
			}
			if strings.Contains(string(a.Body), "42424242") {
				t.Errorf("the answer repeats the card: %s", a.Body)
			}
		})
	}
	t.Run("a token that may not charge", func(t *testing.T) {
		bearer := w.issuer.Mint(map[string]any{"aud": "reservations", "sub": "g-7", "scope": hotel.ScopeReservationsWrite})
		if a := w.with(bearer, http.MethodPost, "/v1/reservations", paying("h-1", good)); a.StatusCode != http.StatusForbidden {
			t.Errorf("%d %s", a.StatusCode, a.Body)
		}
	})
	t.Run("the token service is away, and nothing was begun", func(t *testing.T) {
		bearer := w.bearer("g-7")
		w.issuer.Down()
		defer w.issuer.Up()
		if a := w.with(bearer, http.MethodPost, "/v1/reservations", paying("h-1", good)); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.StatusCode, a.Body)
		}
	})
	if all := w.all("g-7"); len(all) != 0 || len(w.outside.taken) != 0 {
		t.Errorf("%d reservations, %d charges", len(all), len(w.outside.taken))
	}
	if a := w.as("g-7", http.MethodPost, "/v1/reservations", with(`"guests"`, `"expect":{"amount":20000,"currency":"EUR"},"guests"`)); a.StatusCode != 201 {
		t.Errorf("at the expected price: %d %s", a.StatusCode, a.Body)
	}
}

func TestACardIsKeptNowhere(t *testing.T) {
	for card, status := range map[string]int{good: http.StatusCreated, noMoney: http.StatusPaymentRequired} {
		t.Run(card, func(t *testing.T) {
			w := newWorld(t)
			var answers []byte
			book := func(body string, want int) {
				t.Helper()
				a := w.keyed(fmt.Sprint("k-", len(answers)), w.bearer("g-7"), http.MethodPost, "/v1/reservations", body)
				if a.StatusCode != want {
					t.Errorf("answered %d, want %d: %s", a.StatusCode, want, a.Body)
				}
				answers = append(answers, a.Body...)
			}
			book(paying("h-2", card), status)
			book(strings.Replace(paying("h-2", card), "11/77", "11-77", 1), 422)
			book(strings.Replace(paying("h-2", card), `"card"`, `"kart"`, 1), 422)
			for _, v := range []verdict{cut, busy} {
				w.outside.with(func(c string, _ int, done bool) verdict {
					if strings.HasPrefix(c, "payments") && !done {
						return v
					}
					return goOn
				})
				book(paying("h-2", card), 202)
			}
			w.outside.with(nil)
			w.finish()
			if len(w.outside.cards) == 0 || w.outside.mails[0] != "zoe@canary.test" {
				t.Fatalf("%d cards reached the bank, for %q", len(w.outside.cards), w.outside.mails)
			}
			list := w.as("g-7", http.MethodGet, "/v1/guests/g-7/reservations", "")
			w.nowhere(map[string][]byte{"an answer": answers, "the list": list.Body, "the log": []byte(w.logged.String())})
			if strings.Contains(w.logged.String(), "a note of the guest") || strings.Contains(w.logged.String(), "Zoë") {
				t.Error("the log holds what the guest wrote")
			}
		})
	}
}

// nowhere fails when one of the places, or a file of the database, holds
// anything of a card.
func (w *world) nowhere(places map[string][]byte) {
	w.t.Helper()
	files, err := filepath.Glob(w.path + "*")
	if err != nil {
		w.t.Fatal(err)
	}
	known := false
	for _, file := range files {
		if places[file], err = os.ReadFile(file); err != nil {
			w.t.Fatal(err)
		}
		known = known || bytes.Contains(places[file], []byte("a note of the guest"))
	}
	if !known {
		w.t.Error("these are not the files of the database")
	}
	for place, text := range places {
		for _, secret := range []string{good, noMoney, good[:12], "4000 0000", "0000 9995", "11/77", "9091", "Canary Holder", "zoe@canary.test"} {
			if bytes.Contains(text, []byte(secret)) {
				w.t.Errorf("%s holds %q", place, secret)
			}
		}
	}
}
