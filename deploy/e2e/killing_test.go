package e2e

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"portcullis/services/hotel"
)

// TestKillingAnyProcessLeavesNoBookingHalf kills each process at some point of a
// booking and starts it again: the booking ends confirmed, or cleanly released,
// whether or not the guest comes back to ask.
func TestKillingAnyProcessLeavesNoBookingHalf(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.newGuest(t)
	warm := h.wish(goodCard)
	g.settled(warm, g.booked(warm))
	warm = h.wish(goodCard)
	began := time.Now()
	g.booked(warm)
	usual := time.Since(began) // of a booking that nobody disturbs
	for _, name := range append([]string{"gateway", "authserver"}, houseServices...) {
		t.Run(name, func(t *testing.T) {
			outcomes := map[hotel.State]int{}
			for i := range bookingKills {
				outcomes[h.killedWhileBooking(t, name, rand.N(usual), i%2 == 0)]++
			}
			t.Logf("bookings while %s was killed ended %v", name, outcomes)
		})
	}
}

// killedWhileBooking kills a process some time after a booking has begun. A guest
// who got no answer insists, or goes away.
func (h *house) killedWhileBooking(t *testing.T, name string, after time.Duration, insists bool) hotel.State {
	t.Helper()
	g := h.newGuest(t)
	w := h.wish(goodCard)
	before := h.bank(t, "").Balance["EUR"]
	t.Logf("killing %s after %v; the guest insists: %t", name, after, insists)
	first := make(chan answer, 1)
	go func() {
		a, _ := g.try(http.MethodPost, "/v1/reservations", w.body(), "Idempotency-Key", w.key) // it may die with the process
		first <- a
	}()
	time.Sleep(after)
	h.kill(name)
	time.Sleep(rand.N(300 * time.Millisecond))
	h.revive(name)
	told := <-first
	if insists {
		told = g.insists(w)
	}

	state, confirmed, due := hotel.State("nothing"), 0, before
	for _, r := range g.soon() {
		r = g.decided(r.ID)
		if state = r.State; state == hotel.Confirmed {
			confirmed++
			due += r.Total.Amount
			g.settled(w, r)
			g.receipt(r.ID)
		}
	}
	// Who was told to look again may find that the room was given back.
	promised := insists && told.status != http.StatusAccepted || told.status == http.StatusCreated
	if confirmed > 1 || promised && confirmed == 0 {
		t.Errorf("%s killed after %v: the guest is told %d and has %d bookings", name, after, told.status, confirmed)
	}
	until(t, "the bank holds what was booked, no more and no less", 40*time.Second, func() bool { return h.bank(t, "").Balance["EUR"] == due })
	if free := g.free(w); free != 1-confirmed {
		t.Errorf("%s killed after %v: %d rooms are free and %d booked", name, after, free, confirmed)
	}
	g.mailed("confirm", confirmed)
	return state
}

// insists presses again until there is an answer: with the same key, it is the
// same booking.
func (g *guest) insists(w wish) answer {
	g.t.Helper()
	var a answer
	until(g.t, "the guest gets an answer", 60*time.Second, func() bool {
		var err error
		a, err = g.try(http.MethodPost, "/v1/reservations", w.body(), "Idempotency-Key", w.key)
		if err != nil || a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable {
			time.Sleep(300 * time.Millisecond) // Retry-After says so, more or less
			return false
		}
		return true
	})
	if a.status != http.StatusCreated && a.status != http.StatusAccepted {
		g.t.Errorf("the guest is told %d %s", a.status, a.body)
	}
	return a
}

// soon are the guest's reservations once there is an answer: after a kill, tokens
// and breakers may take a moment.
func (g *guest) soon() []hotel.Reservation {
	g.t.Helper()
	until(g.t, "the reservations can be asked for", 30*time.Second, func() bool {
		a, err := g.try(http.MethodGet, "/v1/guests/"+g.sub+"/reservations", "")
		return err == nil && a.status == http.StatusOK
	})
	return g.reservations()
}
