package reservations_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
)

func TestAGuestIsExportedAndForgotten(t *testing.T) {
	w := newWorld(t)
	paid := w.book("g-canary", paying("h-1", good))
	w.finish()
	// One whose receipt and mail are still to come, and one that is cancelled with
	// its refund still to come.
	w.outside.with(func(c string, _ int, _ bool) verdict {
		if strings.HasPrefix(c, "reporting") || strings.HasSuffix(c, "/refund") {
			return busy
		}
		return goOn
	})
	w.book("g-canary", paying("h-2", good))
	gone := w.book("g-canary", paying("h-2", good))
	w.as("g-canary", http.MethodDelete, "/v1/reservations/"+gone.ID, "")
	other := w.book("g-8", oneOf3)

	w.now.Store(time.Date(2027, 1, 20, 12, 0, 0, 0, time.UTC).Unix()) // all stays are over

	var data struct {
		Guest        string
		Reservations []hotel.Reservation
	}
	w.as("users", http.MethodGet, "/v1/guests/g-canary/data", "").Into(t, &data)
	if data.Guest != "g-canary" || len(data.Reservations) != 3 || data.Reservations[0].ID != paid.ID || data.Reservations[0].Name != "Zoë Guest" {
		t.Errorf("exported %+v", data)
	}
	for range 2 {
		if a := w.as("users", http.MethodDelete, "/v1/guests/g-canary/data", ""); a.StatusCode != http.StatusNoContent {
			t.Fatalf("%d %s", a.StatusCode, a.Body)
		}
	}
	w.as("users", http.MethodGet, "/v1/guests/g-canary/data", "").Into(t, &data)
	if len(data.Reservations) != 0 || len(w.all("g-canary")) != 0 {
		t.Errorf("still exported: %+v", data)
	}
	told := len(w.outside.events)
	w.outside.with(nil)
	w.now.Add(60)
	w.finish()
	if w.outside.given[gone.ID] != 1 {
		t.Error("the money of a guest who was forgotten was not given back")
	}
	for id, e := range w.outside.events {
		if told++; e.Reservation.ID != paid.ID && e.Reservation.ID != other.ID {
			t.Errorf("%s was told of a guest who was forgotten", id)
		}
	}
	if w.free("h-1", 1) != 0 || w.free("h-2", 3) != 1 {
		t.Errorf("%d and %d rooms are free: what is booked stays booked", w.free("h-1", 1), w.free("h-2", 3))
	}
	if got := w.all("g-8"); len(got) != 1 || got[0].ID != other.ID || got[0].Receipt == "" {
		t.Errorf("another guest has %+v", got)
	}
	files, _ := filepath.Glob(w.path + "*")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, canary := range []string{"g-canary", "Zoë Guest", "a note of the guest"} {
			if bytes.Contains(text, []byte(canary)) {
				t.Errorf("%s still holds %q", filepath.Base(file), canary)
			}
		}
	}
}

// What a guest books beside their own removal must neither be taken from them nor
// stay when all else is gone.
func TestABookingBesideARemoval(t *testing.T) {
	w := newWorld(t)
	const data = "/v1/guests/g-7/data"
	booked := w.book("g-7", oneOf3)
	if a := w.as("users", http.MethodDelete, data, ""); a.StatusCode != http.StatusConflict || !strings.Contains(string(a.Body), "not over") {
		t.Errorf("with a booking to come: %d %s", a.StatusCode, a.Body)
	}
	if got := w.all("g-7"); len(got) != 1 || got[0].ID != booked.ID {
		t.Fatalf("the guest has lost a booking: %+v", got)
	}
	w.as("g-7", http.MethodDelete, "/v1/reservations/"+booked.ID, "")
	if a := w.as("users", http.MethodDelete, data, ""); a.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	for name, body := range map[string]string{"at the hotel": oneOf3, "by card": paying("h-2", good), "a partner's": paying("aurora.h-3", good)} {
		if a := w.as("g-7", http.MethodPost, "/v1/reservations", body); a.StatusCode != http.StatusConflict {
			t.Errorf("%s, after the removal: %d %s", name, a.StatusCode, a.Body)
		}
	}
	w.finish()
	if len(w.all("g-7")) != 0 {
		t.Error("a guest who was forgotten is back")
	}
	if a := w.as("g-8", http.MethodPost, "/v1/reservations", oneOf3); a.StatusCode != http.StatusCreated {
		t.Errorf("another guest: %d", a.StatusCode)
	}
}

func TestAServiceBooksForNobody(t *testing.T) {
	w := newWorld(t)
	own := w.issuer.Mint(map[string]any{"aud": "reservations", "sub": "booking", "client_id": "booking", "scope": every})
	for _, body := range []string{oneOf3, paying("h-2", good)} {
		if a := w.with(own, http.MethodPost, "/v1/reservations", body); a.StatusCode != http.StatusForbidden {
			t.Errorf("%d %s", a.StatusCode, a.Body)
		}
	}
	if w.free("h-2", 3) != 3 {
		t.Error("a room is taken")
	}
}

func TestGuestDataIsForWhoMayHaveIt(t *testing.T) {
	w := newWorld(t)
	w.book("g-7", oneOf3)
	for name, c := range map[string]struct {
		claims map[string]any
		status int
	}{
		"a service for itself":            {map[string]any{"sub": "users"}, http.StatusOK},
		"a service for the guest":         {map[string]any{"sub": "g-7", "act": map[string]any{"sub": "users"}}, http.StatusOK},
		"a service for another guest":     {map[string]any{"sub": "g-8", "act": map[string]any{"sub": "users"}}, http.StatusForbidden},
		"a service that may only book":    {map[string]any{"sub": "users", "scope": hotel.ScopeReservationsWrite}, http.StatusForbidden},
		"a service that may only forget":  {map[string]any{"sub": "users", "scope": hotel.ScopeGuestErase}, http.StatusForbidden},
		"a service with another audience": {map[string]any{"sub": "users", "aud": "users"}, http.StatusUnauthorized},
	} {
		claims := map[string]any{"aud": "reservations", "scope": every}
		for name, value := range c.claims {
			claims[name] = value
		}
		if a := w.with(w.issuer.Mint(claims), http.MethodGet, "/v1/guests/g-7/data", ""); a.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, c.status)
		}
	}
}
