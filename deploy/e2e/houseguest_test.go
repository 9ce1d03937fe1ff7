package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
)

// guest is somebody whom the suite's issuer knows, with a profile to mail to.
type guest struct {
	t                  *testing.T
	h                  *house
	sub, email, bearer string
}

const guestScopes = "search:read reservations:read reservations:write charges:write charges:read profile:read profile:write documents:read"

func (h *house) newGuest(t *testing.T) *guest {
	t.Helper()
	g := h.stranger(t)
	until(t, "the profile is taken", 0, func() bool { // a busy machine may not connect the gateway and users in time
		a := g.ask(http.MethodPut, "/v1/guests/"+g.sub+"/profile", `{"name":"Ada Lovelace","email":"`+g.email+`"}`)
		if a.status >= 300 && a.status != http.StatusServiceUnavailable {
			t.Fatalf("the profile: %d %s", a.status, a.body)
		}
		return a.status < 300
	})
	return g
}

// stranger has no profile yet.
func (h *house) stranger(t *testing.T) *guest {
	t.Helper()
	sub := fmt.Sprintf("g-%d", h.guests.Add(1))
	return &guest{t: t, h: h, sub: sub, email: sub + "@guest.test", bearer: h.as(sub, guestScopes)}
}

// ask asks the gateway; pairs are header fields.
func (g *guest) ask(method, target, body string, pairs ...string) answer {
	g.t.Helper()
	a, err := g.try(method, target, body, pairs...)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

func (g *guest) try(method, target, body string, pairs ...string) (answer, error) {
	return call(g.h.client, method, g.h.gatewayURL+target, g.bearer, body, pairs...)
}

// book asks for a booking and gives what was answered.
func (g *guest) book(w wish) (hotel.Reservation, answer) {
	g.t.Helper()
	a := g.ask(http.MethodPost, "/v1/reservations", w.body(), "Idempotency-Key", w.key)
	var r hotel.Reservation
	_ = json.Unmarshal([]byte(a.body), &r) // a refusal has none
	return r, a
}

// reservation is one of the guest's as it is now.
func (g *guest) reservation(id string) hotel.Reservation {
	g.t.Helper()
	a := g.ask(http.MethodGet, "/v1/reservations/"+id, "")
	var r hotel.Reservation
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != http.StatusOK {
		g.t.Fatalf("reservation %s: %d %s", id, a.status, a.body)
	}
	return r
}

// reservations are all of the guest's.
func (g *guest) reservations() []hotel.Reservation {
	g.t.Helper()
	a := g.ask(http.MethodGet, "/v1/guests/"+g.sub+"/reservations", "")
	var list hotel.Reservations
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		g.t.Fatalf("the reservations: %d %s", a.status, a.body)
	}
	return list.Reservations
}

// decided waits until a booking is no longer under way.
func (g *guest) decided(id string) hotel.Reservation {
	g.t.Helper()
	var r hotel.Reservation
	until(g.t, "the booking "+id+" is decided", 40*time.Second, func() bool {
		r = g.reservation(id)
		return r.State != hotel.Held
	})
	return r
}

// booked books and wants it confirmed, now or soon. Who is told to come back
// does: on a busy machine services give each other up.
func (g *guest) booked(w wish) hotel.Reservation {
	g.t.Helper()
	a := g.insists(w)
	var r hotel.Reservation
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		g.t.Fatalf("booking: %d %s", a.status, a.body)
	}
	if r = g.decided(r.ID); r.State != hotel.Confirmed {
		g.t.Fatalf("the booking is %s: %s", r.State, r.Reason)
	}
	return r
}

// receipt waits until a booking has one, and gives the PDF.
func (g *guest) receipt(id string) string {
	g.t.Helper()
	until(g.t, "the receipt of "+id, 60*time.Second, func() bool { return g.reservation(id).Receipt != "" })
	a := g.ask(http.MethodGet, "/v1/documents/"+url.PathEscape(g.reservation(id).Receipt), "")
	if a.status != http.StatusOK || !strings.HasPrefix(a.body, "%PDF-") {
		g.t.Fatalf("the receipt: %d %.200s", a.status, a.body)
	}
	return a.body
}

// mailed waits for the mails with a subject that has these words, and gives
// them, newest first; more must not come.
func (g *guest) mailed(words string, n int) []mail {
	g.t.Helper()
	var found []mail
	until(g.t, fmt.Sprintf("%d mails to %s about %q", n, g.email, words), 60*time.Second, func() bool {
		found = slices.DeleteFunc(g.h.sink.mails(g.email), func(m mail) bool {
			return !strings.Contains(strings.ToLower(m.Subject), words)
		})
		return len(found) >= n
	})
	if len(found) != n {
		g.t.Errorf("%d mails came about %q, want %d", len(found), words, n)
	}
	return found
}

// free asks how many rooms of a wish's hotel are free then; search may remember
// for two seconds, a quote does not.
func (g *guest) free(w wish) int {
	g.t.Helper()
	a := g.ask(http.MethodPost, "/v1/quotes", fmt.Sprintf(`{"hotel":%q,"from":%q,"to":%q,"guests":2}`, w.hotel, w.from, w.to))
	var q hotel.Quote
	if err := json.Unmarshal([]byte(a.body), &q); err != nil || a.status != http.StatusOK {
		g.t.Fatalf("a quote: %d %s", a.status, a.body)
	}
	return q.Free
}

// settled checks that a booking is one thing, everywhere: confirmed, paid once
// and its room taken, or released, not paid, and its room free.
func (g *guest) settled(w wish, r hotel.Reservation) {
	g.t.Helper()
	switch r.State {
	case hotel.Confirmed:
		if free := g.free(w); w.hotel == lighthouse && free != 0 {
			g.t.Errorf("%s is confirmed and its room free", r.ID)
		}
		if w.card == "" {
			return
		}
		until(g.t, "the bank has charged "+r.ID+" once", 30*time.Second, func() bool {
			b := g.h.bank(g.t, r.ID)
			return len(b.Charges) == 1 && b.Charges[0].Status == "approved" && b.Charges[0].Amount == r.Total.Amount
		})
	case hotel.Released:
		if free := g.free(w); w.hotel == lighthouse && free != 1 {
			g.t.Errorf("%s is released, and %d rooms are free", r.ID, free)
		}
		until(g.t, "the bank holds nothing for "+r.ID, 30*time.Second, func() bool {
			b := g.h.bank(g.t, r.ID)
			return len(b.Charges) == 0 || b.Charges[0].Status != "approved"
		})
	default:
		g.t.Errorf("%s is %s", r.ID, r.State)
	}
}

// exchanged is the token by which the gateway speaks to a service for a guest.
func (g *guest) exchanged(audience string) string {
	g.t.Helper()
	a := g.h.token(g.t, "gateway", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token", g.bearer, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", audience)
	got := a.granted()
	if a.status != http.StatusOK || got.Access == "" {
		g.t.Fatalf("no token for %s: %d %s", audience, a.status, a.body)
	}
	return got.Access
}
