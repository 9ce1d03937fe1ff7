package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// till is a bank and a client of it.
type till struct {
	*testing.T
	*httptest.Server
	key string
}

func newTill(t *testing.T, c BankConfig) *till {
	b := &till{T: t, Server: httptest.NewTLSServer(NewBank(c).Handler()), key: c.Key}
	t.Cleanup(b.Server.Close)
	return b
}

// says sends a request and returns the status and what was said.
func (b *till) says(method, path, key, body string) string {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.URL+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if b.key != "" {
		r.Header.Set("Authorization", "Bearer "+b.key)
	}
	resp, err := b.Client().Do(r)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, said)
}

func (b *till) charge(key, card string) string {
	b.Helper()
	return b.says("POST", "/charges", key, `{"amount":500,"currency":"EUR","card":{"number":"`+card+`","expiry":"12/40","code":"123"}}`)
}

func (b *till) wants(said string, parts ...string) {
	b.Helper()
	for _, part := range parts {
		if !strings.Contains(said, part) {
			b.Errorf("it said %s, want %s", said, part)
		}
	}
}

func TestTheBankJudgesCards(t *testing.T) {
	t.Parallel()
	b := newTill(t, BankConfig{Now: func() time.Time { return time.Date(2040, 12, 31, 23, 0, 0, 0, time.UTC) }})
	for card, want := range map[string]string{
		"4242424242424242": "201 approved",
		"5555555555554444": "201 approved",
		"4000000000000002": "402 declined do_not_honour",
		"4000000000009995": "402 declined insufficient_funds",
		"4000000000000069": "402 declined expired_card",
		"4000000000009979": "402 declined stolen_card",
		"4242424242424241": "402 declined invalid",
		"4242":             "402 declined invalid",
		"424242424242424x": "402 declined invalid",
	} {
		said := b.charge("k-"+card, card)
		b.wants(said, strings.Fields(want)...)
		if len(card) > 4 && strings.Contains(said, card) {
			t.Errorf("it repeats the card: %s", said)
		}
		if again := b.charge("k-"+card, card); again != said {
			t.Errorf("once more it said %s, before %s", again, said)
		}
		_, answer, _ := strings.Cut(said, " ")
		b.wants(b.says("GET", "/charges/k-"+card, "", ""), "200 "+answer)
	}
	b.wants(b.says("GET", "/charges", "", ""), `"balance":{"EUR":1000}`)
	late := newTill(t, BankConfig{Now: func() time.Time { return time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC) }})
	late.wants(late.charge("k", "4242424242424242"), "402", "expired_card")
}

func TestTheBankKnowsAKeyAgain(t *testing.T) {
	t.Parallel()
	b := newTill(t, BankConfig{})
	b.wants(b.says("GET", "/charges/k", "", ""), "404", "unknown")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { b.wants(b.charge("k", "4242424242424242"), "201") })
	}
	all.Wait()
	b.wants(b.says("GET", "/charges", "", ""), `"balance":{"EUR":500}`)
	b.wants(b.charge("k", "5555555555554444"), "409", "another charge")
	b.wants(b.charge("", "4242424242424242"), "400", "Idempotency-Key")
	for range 2 {
		b.wants(b.says("POST", "/charges/k/refund", "", `{"amount":500}`), "200", `"refunded"`)
	}
	b.wants(b.says("POST", "/charges/k/void", "", ""), "409")
	b.wants(b.says("GET", "/charges", "", ""), `"balance":{}`)
}

func TestAVoidedKeyIsNeverCharged(t *testing.T) {
	t.Parallel()
	b := newTill(t, BankConfig{})
	b.charge("known", "4242424242424242")
	b.charge("declined", "4000000000000002")
	for _, key := range []string{"known", "declined", "unknown"} {
		for range 2 {
			b.wants(b.says("POST", "/charges/"+key+"/void", "", ""), "200", `"voided"`)
			b.wants(b.charge(key, "4242424242424242"), "409", "voided")
			b.wants(b.says("POST", "/charges/"+key+"/refund", "", `{"amount":500}`), "409")
		}
	}
	b.wants(b.says("GET", "/charges", "", ""), `"balance":{}`)
}

func TestTheBankRefuses(t *testing.T) {
	t.Parallel()
	b := newTill(t, BankConfig{})
	b.charge("k", "4242424242424242")
	for name, c := range map[string]struct{ method, path, body, says string }{
		"a charge that is none":            {"POST", "/charges", `{"card":"4242424242424242"}`, "400"},
		"no amount":                        {"POST", "/charges", `{"amount":0,"currency":"EUR","card":{}}`, "422"},
		"a currency in words":              {"POST", "/charges", `{"amount":5,"currency":"euro","card":{}}`, "422"},
		"a part of the money":              {"POST", "/charges/k/refund", `{"amount":499}`, "422"},
		"the money of a key it knows not":  {"POST", "/charges/j/refund", `{"amount":500}`, "404"},
		"a key that is a book":             {"POST", "/charges/" + strings.Repeat("k", 200) + "/void", "", "400"},
		"what it does not have":            {"GET", "/loans", "", "404"},
		"what it does not do to a charge":  {"DELETE", "/charges/k", "", "405"},
		"two values where one is expected": {"POST", "/charges", `{"amount":5} {}`, "400"},
	} {
		said := b.says(c.method, c.path, "k-2", c.body)
		if !strings.HasPrefix(said, c.says) || strings.Contains(said, "4242424242424242") {
			t.Errorf("%s: it said %s, want %s", name, said, c.says)
		}
	}
}

func TestTheBankServesWhoHasItsKey(t *testing.T) {
	t.Parallel()
	b := newTill(t, BankConfig{Key: "open sesame"})
	b.wants(b.charge("k", "4242424242424242"), "201")
	for _, wrong := range []string{"", "open", "open sesame "} {
		b.key = wrong
		if wrong == "open sesame " {
			b.key = "Open sesame"
		}
		b.wants(b.charge("k-2", "4242424242424242"), "401")
	}
}

func TestTheBankMisbehavesAndStillChargesOnce(t *testing.T) {
	t.Parallel()
	b := newTill(t, BankConfig{})
	b.wants(b.says("PUT", "/control", "", `{"cut":true,"only":"POST /charges","times":1}`), "204")
	// A client that knows nothing of keys gets no answer; the money has moved.
	r, _ := http.NewRequestWithContext(t.Context(), "POST", b.URL+"/charges", strings.NewReader(`{"amount":500,"currency":"EUR","card":{"number":"4242424242424242","expiry":"12/40","code":"123"}}`))
	r.Header.Set("Idempotency-Key", "k")
	r.GetBody = nil // or net/http would repeat it by itself
	if resp, err := b.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Errorf("it answered %d", resp.StatusCode)
	}
	b.wants(b.says("GET", "/charges/k", "", ""), "200", "approved")
	b.wants(b.says("PUT", "/control", "", `{"twice":true}`), "204")
	b.wants(b.charge("k", "4242424242424242"), "201")
	b.wants(b.says("GET", "/charges", "", ""), `"balance":{"EUR":500}`)
}
