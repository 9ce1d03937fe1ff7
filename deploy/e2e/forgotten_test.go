package e2e

import (
	"database/sql"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
)

// open opens an address as a browser without a screen does: with its cookies,
// and wherever it is sent.
func (v *visitor) open(address string) answer {
	v.t.Helper()
	return v.follow(address, func(at string) (*http.Request, error) { return http.NewRequest(http.MethodGet, at, nil) })
}

// fill sends the form of a page that leads to a path: with all that is in it, and
// what the visitor types.
func (v *visitor) fill(page answer, action string, pairs ...string) answer {
	v.t.Helper()
	_, rest, found := strings.Cut(page.body, `action="`+action+`"`)
	if !found {
		v.t.Fatalf("the page has no form that leads to %s: %s", action, page.body)
	}
	inside, _, _ := strings.Cut(rest, "</form>")
	fields := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(inside, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return v.follow(v.s.gatewayURL+action, func(at string) (*http.Request, error) {
		req, err := http.NewRequest(http.MethodPost, at, strings.NewReader(fields.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", v.s.gatewayURL)
		}
		return req, err
	})
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

func (v *visitor) follow(address string, first func(string) (*http.Request, error)) answer {
	v.t.Helper()
	req, err := first(address)
	const most = 10
	for range most {
		if err != nil {
			v.t.Fatal(err)
		}
		res, err2 := v.client.Do(req)
		if err2 != nil {
			v.t.Fatal(err2)
		}
		a, err2 := read(res)
		if err2 != nil {
			v.t.Fatal(err2)
		}
		if a.status < 300 || a.status >= 400 {
			return a
		}
		next, err2 := req.URL.Parse(a.header.Get("Location"))
		if err2 != nil {
			v.t.Fatal(err2)
		}
		req, err = http.NewRequest(http.MethodGet, next.String(), nil)
	}
	v.t.Fatalf("%s leads nowhere", address)
	return answer{}
}

// TestAGuestIsForgotten: a guest asks to be removed, and every service forgets
// or anonymises what it holds; the ledger stays balanced, and the export before
// it is complete.
func TestAGuestIsForgotten(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	before := h.bank(t, "").Balance["EUR"]
	v := h.member("forget-me@guest.test")
	const name, phone, note = "Mnemosyne Canary", "+358 40 987 6543", "please forget this sentence"
	page := v.open(h.gatewayURL + "/signin?return=/profile")
	if page.status != http.StatusOK || !strings.Contains(page.body, v.email) {
		t.Fatalf("signed in, the profile says %d %s", page.status, page.body)
	}
	if page = v.fill(page, "/profile", "name", name, "phone", phone); !strings.Contains(page.body, "Saved") {
		t.Fatalf("the profile was not saved: %s", page.body)
	}

	w := h.wish(goodCard)
	query := "?from=" + w.from.String() + "&to=" + w.to.String() + "&guests=2"
	page = v.open(h.gatewayURL + "/book/" + w.hotel + query)
	page = v.fill(page, "/book/"+w.hotel, "name", name, "note", note, "pay", "card",
		"card_number", "4242 4242 4242 4242", "card_expiry", "12/31", "card_code", "123", "card_holder", name)
	if !strings.Contains(page.body, "You are booked") {
		t.Fatalf("the booking: %d %s", page.status, page.body)
	}
	id := regexp.MustCompile(`/bookings/([A-Za-z0-9_-]+)/cancel`).FindStringSubmatch(page.body)
	if id == nil {
		t.Fatalf("the booking cannot be cancelled: %s", page.body)
	}
	until(t, "the confirmation and the mail about the payment", 30*time.Second, func() bool { return len(h.sink.mails(v.email)) >= 3 })
	receipt := v.open(h.gatewayURL + "/bookings/" + id[1] + "/receipt")
	if receipt.status != http.StatusOK || !strings.HasPrefix(receipt.body, "%PDF-") || receipt.header.Get("Content-Type") != "application/pdf" {
		t.Errorf("the receipt: %d %v", receipt.status, receipt.header)
	}

	page = v.fill(v.open(h.gatewayURL+"/profile/remove"), "/profile/remove", "sure", "yes")
	if page.status != http.StatusConflict {
		t.Errorf("a removal before a stay: %d %s", page.status, page.body)
	}
	page = v.fill(v.open(h.gatewayURL+"/bookings/"+id[1]+"/cancel"), "/bookings/"+id[1]+"/cancel", "sure", "yes")
	if !strings.Contains(page.body, "Your booking is cancelled") {
		t.Fatalf("cancelling: %d %s", page.status, page.body)
	}
	until(t, "the money goes back", 30*time.Second, func() bool { return h.bank(t, "").Balance["EUR"] == before })

	exported := v.open(h.gatewayURL + "/profile/export")
	var all hotel.Export
	if err := json.Unmarshal([]byte(exported.body), &all); err != nil || exported.status != http.StatusOK {
		t.Fatalf("the export: %d %v %s", exported.status, err, exported.body)
	}
	for _, service := range []string{"users", "reservations", "payments", "reporting", "booking"} {
		part, err := json.Marshal(all.Services[service])
		if err != nil || len(part) < 20 {
			t.Errorf("the export has of %s: %s", service, part)
		}
	}
	for what, text := range map[string]string{"name": name, "phone": phone, "note": note, "booking": id[1], "card's end": "4242", "guest": all.Guest} {
		if !strings.Contains(exported.body, text) {
			t.Errorf("the export lacks the %s", what)
		}
	}

	page = v.fill(v.open(h.gatewayURL+"/profile/remove"), "/profile/remove", "sure", "yes")
	if page.status >= 400 {
		t.Fatalf("the removal: %d %s", page.status, page.body)
	}
	until(t, "the guest is forgotten", 60*time.Second, func() bool {
		return strings.Contains(v.open(h.gatewayURL+"/profile/removal").body, "We have forgotten you")
	})

	for what, text := range map[string]string{"name": name, "phone": phone, "note": note, "address": v.email} {
		for _, service := range append([]string{"authserver"}, houseServices...) {
			h.forgets(t, service, what, text)
		}
	}
	for _, service := range []string{"reservations", "payments", "reporting", "booking"} {
		h.forgets(t, service, "guest's number", all.Guest)
	}
	h.balanced(t, id[1])
	if after := h.bank(t, "").Balance["EUR"]; after != before {
		t.Errorf("the bank holds %d, and before %d", after, before)
	}
	if page = v.open(h.gatewayURL + "/bookings"); strings.Contains(page.body, id[1]) {
		t.Errorf("a guest who is forgotten sees bookings: %s", page.body)
	}
	if a := v.signIn(); a.status == http.StatusSeeOther || !strings.Contains(a.body, "The e-mail address or the password is not right.") {
		t.Errorf("a guest who is forgotten signs in: %d", a.status)
	}
}

// forgets wants a text in no file of a service, at the latest in a moment: the
// answer may be ahead of the last byte.
func (h *house) forgets(t *testing.T, service, what, text string) {
	t.Helper()
	held := ""
	defer func() {
		if held != "" {
			t.Logf("the %s stands in %s", what, held)
		}
	}()
	until(t, service+" no longer holds the "+what, 0, func() bool {
		held = h.holds(t, service, text)
		return held == ""
	})
}

// holds tells in which file of a service a text stands.
func (h *house) holds(t *testing.T, service, text string) string {
	t.Helper()
	found := ""
	dir := filepath.Join(h.dir, service)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), text) {
			found = filepath.Base(path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files in %s: %v", files, dir, err)
	}
	return found
}

// balanced reads the ledger: what was charged went back, and every posting has
// two sides.
func (h *house) balanced(t *testing.T, charge string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "payments", "payments.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var charged, returned, postings int64
	err = db.QueryRowContext(t.Context(), `SELECT coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0), coalesce(sum(amount) FILTER (WHERE kind = 'return'), 0), count(*)
		FROM postings WHERE charge = ? AND from_account <> to_account`, charge).Scan(&charged, &returned, &postings)
	if err != nil || charged == 0 || charged != returned || postings != 2 {
		t.Errorf("of %s the ledger says: charged %d, returned %d, in %d postings (%v)", charge, charged, returned, postings, err)
	}
}
