package booking_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/services/booking"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
)

func TestTheProfileIsKeptAndCorrected(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	b.get("/profile").says(t, 200, email, "No card payments yet")
	b.post("/profile", url.Values{"name": {"Ada"}, "phone": {"call me"}}).says(t, 422, "A phone number has digits", `value="Ada"`, `value="call me"`)
	b.post("/profile", url.Values{"name": {"Ada"}, "phone": {"+358 40 1234567"}, "email": {"eve@evil.test"}}).says(t, 200, "Saved.", `value="Ada"`, email)
	if p := w.hotel.profile; p.Email != email || p.Name != "Ada" {
		t.Errorf("users has %+v", p)
	}
	trips(w)
	b.get("/profile").says(t, 200, "€420", "SEK\u00a02,780", "Given back")
	got := b.get("/profile/export").says(t, 200)
	if e := decode[hotel.Export](t, got.body); e.Guest != guest || !strings.Contains(got.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the export is %+v with %v", e, got.Header)
	}
}

// The form says where the confirmation goes, and users writes to profiles alone.
func TestWhoBooksCanBeWrittenTo(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	b.post("/book/h-1", b.get("/book/h-1?"+stayQuery()).filled(t, nil)).says(t, 200)
	if p := w.hotel.profile; p == nil || p.Email != email || p.Name != "Ada Lovelace" {
		t.Fatalf("after a booking the profile is %+v", p)
	}
	b.post("/profile", url.Values{"name": {"Countess"}, "phone": {"+358 40 1234567"}}).says(t, 200, "Saved.")
	b.post("/book/h-1", b.get("/book/h-1?"+stayQuery()).filled(t, map[string]string{"name": "Byron"})).says(t, 200)
	if p := w.hotel.profile; p.Name != "Countess" || p.Phone == "" {
		t.Errorf("another booking made the profile %+v", p)
	}
	w.hotel.set(func(h *house) { h.away["users"] = true })
	b.post("/book/h-1", b.get("/book/h-1?"+stayQuery()).filled(t, nil)).says(t, 200)
}

func TestAGuestIsForgotten(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	b.get("/profile/remove").says(t, 200, "This cannot be undone")
	b.post("/profile/remove", url.Values{}).says(t, 422, "Tick the box")
	w.hotel.set(func(h *house) { h.open = true })
	b.post("/profile/remove", url.Values{"sure": {"yes"}}).says(t, 409, "something comes first", "Cancel r-1 first.")
	w.hotel.set(func(h *house) { h.open = false })
	b.post("/profile/remove", url.Values{"sure": {"yes"}}).says(t, 202, "Your data is being removed", "payments, booking")
	// An answer that makes no sense says nothing of how far it is.
	w.hotel.set(func(h *house) { h.garbled = true })
	b.get("/profile/removal").says(t, 503)
	w.hotel.set(func(h *house) { h.garbled = false })
	b.get("/profile/removal").says(t, 202, "Your data is being removed")
	// users asks every service, us among them, and then the token service.
	w.back(t, http.MethodDelete, "/v1/guests/"+guest+"/data", hotel.ScopeGuestErase, 204)
	b.get("/profile/removal").says(t, 200, "We have forgotten you")
	b.get("/bookings").says(t, 401)
	w.browser().get("/profile/removal").says(t, 401) // who never asked is told nothing
}

// back asks as users does.
func (w *world) back(t *testing.T, method, path, scope string, status int) seen {
	t.Helper()
	agreed, err := contract.Parse(booking.Contract())
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.client.Transport = agreed.Transport(t, b.client.Transport)
	r, _ := http.NewRequestWithContext(t.Context(), method, w.direct+path, nil)
	r.Header.Set("Authorization", "Bearer "+w.gateway(map[string]any{"sub": "users", "client_id": "users", "scope": scope}))
	page := b.send(r)
	if page.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, page.StatusCode, status, page.body)
	}
	return page
}

func TestUsersExportsAndErasesAGuest(t *testing.T) {
	w := newWorld(t)
	first, second := w.guest(), w.guest()
	w.issuer.Guest("g-8", "bea@guest.test")
	other := w.guest()
	got := decode[booking.Data](t, w.back(t, http.MethodGet, "/v1/guests/g-7/data", hotel.ScopeGuestExport, 200).body)
	if len(got.Sessions) != 2 || got.Guest != guest {
		t.Errorf("the export is %+v", got)
	}
	w.back(t, http.MethodDelete, "/v1/guests/g-7/data", hotel.ScopeGuestExport, 403)
	w.back(t, http.MethodDelete, "/v1/guests/g-7/data", hotel.ScopeGuestErase, 204)
	w.back(t, http.MethodDelete, "/v1/guests/g-7/data", hotel.ScopeGuestErase, 204)
	if got := decode[booking.Data](t, w.back(t, http.MethodGet, "/v1/guests/g-7/data", hotel.ScopeGuestExport, 200).body); len(got.Sessions) != 0 {
		t.Errorf("after the removal there is %+v", got)
	}
	for _, file := range []string{w.path, w.path + "-wal"} {
		if raw, err := os.ReadFile(file); err != nil || strings.Contains(string(raw), "g-7") {
			t.Errorf("%s still names the guest, or cannot be read: %v", filepath.Base(file), err)
		}
	}
	first.get("/bookings").says(t, 401)
	second.get("/bookings").says(t, 401)
	other.get("/bookings").says(t, 200)
}

// TestTheDatabaseHoldsNothingThatLetsSomebodyIn looks for what a thief of the
// file would look for.
func TestTheDatabaseHoldsNothingThatLetsSomebodyIn(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	b.post("/book/h-1", form.filled(t, nil)).says(t, 200)
	at, _ := url.Parse(w.url)
	var cookie string
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == "__Host-session" {
			cookie = c.Value
		}
	}
	if len(cookie) != 43 {
		t.Fatalf("the session's cookie is %q", cookie)
	}
	var disk strings.Builder
	for _, file := range []string{w.path, w.path + "-wal"} {
		if raw, err := os.ReadFile(file); err == nil {
			disk.Write(raw)
		}
	}
	for _, secret := range []string{cookie, "eyJ", email, "4242424242424242", "quiet room"} {
		if strings.Contains(disk.String(), secret) {
			t.Errorf("the database holds %q", secret)
		}
	}
	if said := w.log.String(); strings.Contains(said, cookie) || strings.Contains(said, "eyJ") || strings.Contains(said, "4242424242424242") || strings.Contains(said, email) {
		t.Error("the log holds a secret")
	}
}
