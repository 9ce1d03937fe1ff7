package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/deploy/fault"
	"portcullis/services/hotel"
)

// TestABookingHoldsWhateverFails is what a booking promises, on the built
// programs, with neighbours that are away, slow, cut off or confused.
func TestABookingHoldsWhateverFails(t *testing.T) {
	t.Parallel()
	t.Run("money", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		t.Run("a stay is booked, paid, receipted, mailed and given back", h.wholeStay)
		t.Run("with a bank in trouble", h.bankInTrouble)
		t.Run("two guests, one room, a hundred times", h.oneRoom) // last: it leaves receipts to be made
	})
	t.Run("neighbours", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		t.Run("without reporting", h.withoutReporting)
		t.Run("partners", h.partnersAway)
		t.Run("with mail that waits", h.mailWaits)
		t.Run("without the token service", h.withoutTokenService)
	})
}

func (h *house) wholeStay(t *testing.T) {
	g := h.newGuest(t)
	w := h.wish(goodCard)
	w.email = g.email
	w.note = "Please don't place us next to the lift; last time we couldn't sleep (it was loud)"
	r := g.booked(w)
	if r.Note != w.note {
		t.Fatalf("the note is %q", r.Note)
	}
	g.settled(w, r)
	if again := g.booked(w); again.ID != r.ID {
		t.Errorf("the same once more: %+v", again)
	}
	other := w
	other.to++
	if _, a := g.book(other); a.status != http.StatusConflict {
		t.Errorf("another with the same key: %d %s", a.status, a.body)
	}
	g.receipt(r.ID)
	g.mailed("confirm", 1)
	g.mailed("received", 1)
	if a := g.ask(http.MethodDelete, "/v1/reservations/"+r.ID, ""); a.status >= 300 {
		t.Fatalf("cancelling: %d %s", a.status, a.body)
	}
	until(t, "the money goes back", 30*time.Second, func() bool {
		b := h.bank(t, r.ID)
		return len(b.Charges) == 1 && b.Charges[0].Refunded == r.Total.Amount
	})
	if free := g.free(w); free != 1 {
		t.Errorf("%d rooms are free after it", free)
	}
	g.mailed("cancel", 1)
	g.mailed("refunded", 1)

	declined := h.wish(declinedCard)
	var a answer
	until(t, "the bank is asked", 0, func() bool { _, a = g.book(declined); return a.status != http.StatusServiceUnavailable })
	if a.status != http.StatusPaymentRequired || a.code() != "payment_declined" {
		t.Errorf("a card that is declined: %d %s", a.status, a.body)
	}
	if free := g.free(declined); free != 1 {
		t.Errorf("a declined card keeps the room: %d are free", free)
	}
}

// Reporting down, slow or cut off: the booking still succeeds; the receipt follows
// when it is back, exactly once, with no one asking.
func (h *house) withoutReporting(t *testing.T) {
	for name, c := range map[string]struct{ begin, end func(*testing.T) }{
		"killed": {
			func(*testing.T) { h.kill("reporting") },
			func(*testing.T) { h.revive("reporting") },
		},
		"refusing":              h.fault("reporting", fault.Refuse()),
		"hanging":               h.fault("reporting", fault.Hang()),
		"slow":                  h.fault("reporting", fault.Delay(time.Minute)),
		"cut before its answer": h.fault("reporting", fault.CutAfter(0)),
		"cut within its answer": h.fault("reporting", fault.CutAfter(4500)),
	} {
		t.Run(name, func(t *testing.T) {
			g := h.newGuest(t)
			c.begin(t)
			w := h.wish(goodCard)
			r := g.booked(w) // the gateway has no patience for who waits for reporting
			g.settled(w, r)
			c.end(t)
			pdf := g.receipt(r.ID)
			g.mailed("confirm", 1)
			a := g.ask(http.MethodGet, "/v1/guests/"+g.sub+"/documents", "")
			var list struct{ Documents []hotel.Document }
			if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list.Documents) != 1 || list.Documents[0].Kind != hotel.Receipt {
				t.Errorf("the documents: %d %s", a.status, a.body)
			}
			if again := g.receipt(r.ID); again != pdf {
				t.Error("the receipt is another the second time")
			}
		})
	}
}

// fault is one that begins and ends.
func (h *house) fault(name string, f fault.Fault) struct{ begin, end func(*testing.T) } {
	return struct{ begin, end func(*testing.T) }{
		func(t *testing.T) { t.Helper(); h.breaks(t, name, f) },
		func(t *testing.T) { t.Helper(); h.heals(t, name) },
	}
}

// Bank slow or answering twice: the guest is charged once. Bank down: the hold is
// released, the guest is told, nothing is lost.
func (h *house) bankInTrouble(t *testing.T) {
	for name, how := range map[string]string{
		"that works twice":                     `{"twice": true, "only": "POST /charges", "times": 2}`,
		"that is slow":                         `{"delay": "1200ms", "only": "POST /charges", "times": 1}`,
		"slower than anybody waits":            `{"delay": "4s", "only": "POST /charges", "times": 1}`,
		"that works and hangs up":              `{"cut": true, "only": "POST /charges", "times": 1}`,
		"that is overloaded for a moment":      `{"status": 503, "times": 1}`,
		"that speaks nonsense after the work":  `{"body": "<html>", "only": "POST /charges", "times": 1}`,
		"that works and hangs up, three times": `{"cut": true, "times": 3}`,
	} {
		t.Run("a bank "+name, func(t *testing.T) {
			g := h.newGuest(t)
			h.misbehaves(t, h.sink.bankURL, how)
			w := h.wish(goodCard)
			g.eitherWay(w)
		})
	}
	for name, f := range map[string]fault.Fault{"refuses": fault.Refuse(), "hangs": fault.Hang(), "cuts": fault.CutAfter(0)} {
		t.Run("a bank that "+name, func(t *testing.T) {
			g := h.newGuest(t)
			before := h.bank(t, "").Balance["EUR"]
			h.breaks(t, "bank", f)
			w := h.wish(goodCard)
			r, a := g.book(w)
			switch a.status {
			case http.StatusServiceUnavailable:
				if a.header.Get("Retry-After") == "" {
					t.Errorf("503 does not say when to come back: %v", a.header)
				}
			case http.StatusAccepted:
				if r = g.decided(r.ID); r.State != hotel.Released || r.Reason == "" {
					t.Errorf("the booking ends %s (%s), want it released", r.State, r.Reason)
				}
			default:
				t.Fatalf("booking: %d %s", a.status, a.body)
			}
			if free := g.free(w); free != 1 {
				t.Errorf("%d rooms are free, want the one", free)
			}
			for _, r := range g.reservations() {
				if r.State != hotel.Released {
					t.Errorf("%s is %s", r.ID, r.State)
				}
			}
			h.heals(t, "bank")
			next := w
			next.key += "-again"
			until(t, "a booking after it", 40*time.Second, func() bool { // breakers take a moment
				r, a = g.book(next)
				return a.status == http.StatusCreated
			})
			g.settled(next, r)
			until(t, "the hotel's account grows by the price once", 40*time.Second, func() bool {
				return h.bank(t, "").Balance["EUR"] == before+r.Total.Amount
			})
		})
	}
}

// eitherWay books, insists as guests do, and wants one outcome everywhere.
func (g *guest) eitherWay(w wish) hotel.Reservation {
	g.t.Helper()
	r, a := g.book(w)
	if a.status != http.StatusCreated { // a guest who is in doubt presses again
		r, a = g.book(w)
	}
	switch a.status {
	case http.StatusCreated, http.StatusAccepted:
		r = g.decided(r.ID)
		g.settled(w, r)
	case http.StatusServiceUnavailable:
		for _, r = range g.reservations() {
			r = g.decided(r.ID)
			g.settled(w, r)
		}
	default:
		g.t.Fatalf("booking: %d %s", a.status, a.body)
	}
	confirmed := 0
	for _, r := range g.reservations() {
		if r.State == hotel.Confirmed {
			confirmed++
		}
	}
	if confirmed > 1 {
		g.t.Errorf("the guest has %d bookings", confirmed)
	}
	return r
}

// Partner hotels slow: own results at once, partners' as they come, a quiet note
// for the one that failed. And a partner's room is booked there, once.
func (h *house) partnersAway(t *testing.T) {
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	page := "/search?city=Helsinki&guests=2&from=" + day(40) + "&to=" + day(42)
	t.Run("a slow one and one that fails hold nothing up", func(t *testing.T) {
		h.misbehaves(t, h.sink.auroraURL, `{"delay": "1m", "only": "GET /offers"}`)
		h.misbehaves(t, h.sink.balticURL, `{"status": 503, "only": "GET /offers"}`)
		res, err := h.client.Get(h.gatewayURL + page)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		// The slow one answers when our own rooms are shown, and not before.
		var all strings.Builder
		buffer := make([]byte, 4<<10)
		for err := error(nil); err == nil; {
			var n int
			n, err = res.Body.Read(buffer)
			own := strings.Contains(all.String(), "Lighthouse Loft")
			all.Write(buffer[:n])
			if !own && strings.Contains(all.String(), "Lighthouse Loft") {
				h.control(t, h.sink.auroraURL, http.MethodDelete, "")
			}
		}
		for _, text := range []string{`data-partner="Aurora`, "</html>"} {
			if !strings.Contains(all.String(), text) {
				t.Errorf("%q is not on the page:\n%s", text, all.String())
			}
		}
		if !strings.Contains(all.String(), "did not answer in time, so its rooms are not shown") {
			t.Errorf("nothing is said of the partner that failed:\n%s", all.String())
		}
	})
	t.Run("a partner's room is booked there once, and given back", func(t *testing.T) {
		g := h.newGuest(t)
		a := g.ask(http.MethodGet, strings.Replace(page, "/search", "/v1/partner-offers", 1)+"&partner=aurora", "")
		var offers hotel.Offers
		if err := json.Unmarshal([]byte(a.body), &offers); err != nil || len(offers.Hotels) == 0 {
			t.Fatalf("offers: %d %s", a.status, a.body)
		}
		h.misbehaves(t, h.sink.auroraURL, `{"twice": true, "only": "POST /bookings", "times": 2}`)
		w := h.wish(goodCard)
		w.hotel, w.to = offers.Hotels[0].ID, w.from+2
		r := g.booked(w)
		g.settled(w, r)
		if n := h.atPartner(t, r.ID); n != 1 {
			t.Errorf("the partner has %d bookings, want 1", n)
		}
		if a := g.ask(http.MethodDelete, "/v1/reservations/"+r.ID, ""); a.status >= 300 {
			t.Fatalf("cancelling: %d %s", a.status, a.body)
		}
		until(t, "the partner's room is given back", 30*time.Second, func() bool { return h.atPartner(t, r.ID) == 0 })
	})
	t.Run("a partner that is away costs nobody a room of ours, nor money", func(t *testing.T) {
		g := h.newGuest(t)
		h.breaks(t, "aurora", fault.Refuse())
		w := h.wish(goodCard)
		w.hotel = "aurora.h-1"
		if r, a := g.book(w); a.status == http.StatusCreated {
			t.Errorf("booked at a partner that is away: %+v", r)
		}
		for _, r := range g.reservations() {
			if r = g.decided(r.ID); r.State != hotel.Released {
				t.Errorf("%s is %s", r.ID, r.State)
			}
			if b := h.bank(t, r.ID); len(b.Charges) > 0 && b.Charges[0].Status == "approved" {
				t.Errorf("%s was paid", r.ID)
			}
		}
		own := h.wish(goodCard)
		g.settled(own, g.booked(own))
	})
}

// atPartner counts the bookings of a key at aurora.
func (h *house) atPartner(t *testing.T, key string) (n int) {
	t.Helper()
	res, err := h.sink.client.Get(h.sink.auroraURL + "/bookings")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct {
		Bookings []struct {
			Key       string
			Cancelled bool
		}
	}
	if err := decode(res.Body, &list); err != nil {
		t.Fatal(err)
	}
	for _, b := range list.Bookings {
		if b.Key == key && !b.Cancelled {
			n++
		}
	}
	return n
}

// Two guests, one room, the same second, a hundred times: one reservation. They
// ask the service itself, by the tokens that the gateway asks with: at the edge,
// the second would be a second later.
func (h *house) oneRoom(t *testing.T) {
	const times, atOnce = 100, 4
	first, second := h.newGuest(t), h.newGuest(t)
	bearers := []string{first.exchanged("reservations"), second.exchanged("reservations")}
	client := h.peerClient(t, "gateway")
	var rounds sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i := range times {
		turn <- struct{}{}
		rounds.Go(func() {
			defer func() { <-turn }()
			w := h.wish("")
			if i%4 == 0 {
				w.card = goodCard
			}
			sold := h.race(t, client, w, []*guest{first, second}, bearers)
			if sold != 1 {
				t.Errorf("%s: one room was sold %d times", w.from, sold)
			}
		})
	}
	rounds.Wait()
}

// race has guests want the same room at once, and tells how often it was sold.
func (h *house) race(t *testing.T, client *http.Client, w wish, guests []*guest, bearers []string) int {
	t.Helper()
	results := make([]answer, len(guests))
	begin := make(chan struct{})
	var both sync.WaitGroup
	for i, bearer := range bearers {
		both.Go(func() {
			<-begin
			var err error
			results[i], err = call(client, http.MethodPost, h.direct["reservations"]+"/v1/reservations", bearer, w.body(), "Idempotency-Key", fmt.Sprint(w.key, i))
			if err != nil {
				t.Errorf("booking: %v", err)
			}
		})
	}
	close(begin)
	both.Wait()
	sold := 0
	for i, a := range results {
		var r hotel.Reservation
		switch a.status {
		case http.StatusCreated:
			sold++
		case http.StatusAccepted:
			if err := json.Unmarshal([]byte(a.body), &r); err != nil {
				t.Errorf("%s: %v", a.body, err)
			} else if guests[i].decided(r.ID).State == hotel.Confirmed {
				sold++
			}
		case http.StatusConflict:
		default:
			t.Errorf("%s: %d %s", w.from, a.status, a.body)
		}
	}
	return sold
}

// Token service down for a minute: callers whose tokens are cached go on; others
// get 503 with Retry-After and lose nothing.
func (h *house) withoutTokenService(t *testing.T) {
	known, late := h.newGuest(t), h.stranger(t)
	w := h.wish(goodCard)
	r := known.booked(w)
	known.receipt(r.ID)
	known.free(w)
	h.kill("authserver")
	began := time.Now()
	for time.Since(began) < tokenOutage {
		if a := known.ask(http.MethodGet, "/v1/reservations/"+r.ID, ""); a.status != http.StatusOK {
			t.Fatalf("a caller whose token is kept: %d %s", a.status, a.body)
		}
		a := late.ask(http.MethodGet, "/v1/guests/"+late.sub+"/reservations", "")
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Fatalf("a caller whose token is not: %d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body)
		}
		time.Sleep(500 * time.Millisecond)
	}
	mine := h.wish(goodCard)
	paid, a := known.book(mine)
	if a.status != http.StatusCreated {
		t.Errorf("a booking by who has all tokens: %d %s", a.status, a.body)
	}
	lost := h.wish(goodCard)
	if _, a := late.book(lost); a.status != http.StatusServiceUnavailable {
		t.Errorf("a booking by who has none: %d %s", a.status, a.body)
	}
	h.revive("authserver")
	until(t, "the late caller is served", 30*time.Second, func() bool {
		return late.ask(http.MethodGet, "/v1/guests/"+late.sub+"/reservations", "").status == http.StatusOK
	})
	if list := late.reservations(); len(list) != 0 {
		t.Errorf("the late caller has %+v", list)
	}
	late.settled(lost, late.booked(lost))
	if paid.ID != "" {
		known.settled(mine, known.reservation(paid.ID))
		known.receipt(paid.ID)
	}
}

// The mail server away: the booking does not notice, and the mail comes once.
func (h *house) mailWaits(t *testing.T) {
	g := h.newGuest(t)
	h.breaks(t, "mail", fault.Refuse())
	w := h.wish(goodCard)
	w.email = g.email
	r := g.booked(w)
	g.receipt(r.ID)
	if got := h.sink.mails(g.email); len(got) != 0 {
		t.Errorf("%d mails came through a server that is away", len(got))
	}
	h.heals(t, "mail")
	g.mailed("confirm", 1)
	g.mailed("received", 1)
}
