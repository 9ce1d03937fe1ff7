package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// chain is a partner that is asked over TLS.
type chain struct {
	*testing.T
	*httptest.Server
}

func newChain(t *testing.T, name string) *chain {
	t.Helper()
	p, err := NewPartner(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{t, httptest.NewTLSServer(p.Handler())}
	t.Cleanup(c.Server.Close)
	return c
}

func (c *chain) ask(method, path, key, body string, out any) int {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.Client().Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(said, out); err != nil {
			c.Fatalf("%s: %v", said, err)
		}
	}
	return resp.StatusCode
}

const (
	observatory = "h-3" // of Aurora, with a single room
	weekend     = `{"hotel":"h-3","from":"2027-01-10","to":"2027-01-12","guests":2}`
)

// free is how many rooms of the observatory are offered for a night and the next.
func (c *chain) free() int {
	c.Helper()
	var found struct{ Hotels []partnerOffer }
	if status := c.ask("GET", "/offers?city=helsinki&from=2027-01-10&to=2027-01-12&guests=2", "", "", &found); status != http.StatusOK {
		c.Fatalf("the offers were answered %d", status)
	}
	for _, h := range found.Hotels {
		if h.Total.Amount != 2*h.Price.Amount || h.Total.Currency != h.Price.Currency {
			c.Errorf("the total of %s is %v for two nights of %v", h.ID, h.Total, h.Price)
		}
		if h.ID == observatory {
			return h.Free
		}
	}
	return 0
}

func TestThePartnersHotelsAreComplete(t *testing.T) {
	for _, name := range []string{Aurora, Baltic} {
		p, err := NewPartner(name)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, h := range p.hotels {
			if seen[h.ID] || h.Name == "" || h.City == "" || len(h.Country) != 2 || h.About == "" || h.Rooms < 1 || h.Sleeps < 1 || h.Price.Amount < 1 || len(h.Price.Currency) != 3 {
				t.Errorf("%s: a hotel that is not complete: %+v", name, h)
			}
			seen[h.ID] = true
		}
		if len(seen) < 8 {
			t.Errorf("%s has %d hotels", name, len(seen))
		}
	}
	if _, err := NewPartner("../bank"); err == nil {
		t.Error("a partner was made that is none")
	}
}

func TestAPartnersRoomIsBookedOnceForAKey(t *testing.T) {
	c := newChain(t, Aurora)
	if c.free() != 1 {
		t.Fatal("the room is not free at the start")
	}
	var first, again, shown struct{ ID string }
	if status := c.ask("POST", "/bookings", "r-1", weekend, &first); status != http.StatusCreated || first.ID == "" {
		t.Fatalf("status %d, booking %q", status, first.ID)
	}
	if status := c.ask("POST", "/bookings", "r-1", weekend, &again); status != http.StatusCreated || again != first {
		t.Errorf("the second time answered %d, booking %q, want %q", status, again.ID, first.ID)
	}
	if status := c.ask("GET", "/bookings/r-1", "", "", &shown); status != http.StatusOK || shown != first {
		t.Errorf("it is shown with %d as %q", status, shown.ID)
	}
	if status := c.ask("POST", "/bookings", "r-1", strings.Replace(weekend, "12", "13", 1), nil); status != http.StatusConflict {
		t.Errorf("the same key for another stay got %d", status)
	}
	if status := c.ask("POST", "/bookings", "r-2", weekend, nil); status != http.StatusConflict {
		t.Errorf("a room that is taken got %d", status)
	}
	if c.free() != 0 {
		t.Error("the room is offered though it is taken")
	}
	for range 2 {
		if status := c.ask("DELETE", "/bookings/r-1", "", "", nil); status != http.StatusNoContent {
			t.Errorf("cancelling got %d", status)
		}
	}
	if c.free() != 1 {
		t.Error("the room is not free after the cancellation")
	}
	if status := c.ask("POST", "/bookings", "r-1", weekend, nil); status != http.StatusConflict {
		t.Errorf("a key that was cancelled got %d", status)
	}
	if status := c.ask("POST", "/bookings", "r-2", weekend, nil); status != http.StatusCreated {
		t.Errorf("the next guest got %d", status)
	}
}

func TestABookingCannotComeAfterItsCancellation(t *testing.T) {
	c := newChain(t, Aurora)
	if status := c.ask("DELETE", "/bookings/r-1", "", "", nil); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	if status := c.ask("POST", "/bookings", "r-1", weekend, nil); status != http.StatusConflict || c.free() != 1 {
		t.Errorf("status %d, %d rooms free", status, c.free())
	}
	if status := c.ask("GET", "/bookings/r-1", "", "", nil); status != http.StatusNotFound {
		t.Errorf("it is shown with %d", status)
	}
}

func TestOneOfManyGetsAPartnersLastRoom(t *testing.T) {
	c := newChain(t, Aurora)
	var guests sync.WaitGroup
	for i := range 40 {
		guests.Go(func() {
			if status := c.ask("POST", "/bookings", fmt.Sprintf("r-%d", i%20), weekend, nil); status != http.StatusCreated && status != http.StatusConflict {
				t.Errorf("status %d", status)
			}
		})
	}
	guests.Wait()
	var all struct{ Bookings []partnerBooking }
	if c.ask("GET", "/bookings", "", "", &all); len(all.Bookings) != 1 {
		t.Errorf("%d bookings of one room", len(all.Bookings))
	}
}

func TestAPartnerWhoseAnswerIsLostHasBooked(t *testing.T) {
	c := newChain(t, Aurora)
	// net/http repeats a request with a key by itself, on a connection it had before.
	c.Client().Transport.(*http.Transport).DisableKeepAlives = true
	c.ask("PUT", "/control", "", `{"cut":true,"times":1,"only":"POST /bookings"}`, nil)
	if status := c.ask("POST", "/bookings", "r-1", weekend, nil); status != 0 {
		t.Fatalf("status %d, want no answer", status)
	}
	if status := c.ask("POST", "/bookings", "r-1", weekend, nil); status != http.StatusCreated || c.free() != 0 {
		t.Errorf("asked again it answered %d", status)
	}
}

func TestAPartnerRefusesWhatMakesNoSense(t *testing.T) {
	c := newChain(t, Baltic)
	for name, ask := range map[string]struct {
		method, path, key, body string
		status                  int
	}{
		"offers without a date":      {"GET", "/offers?city=Tallinn&guests=1", "", "", 400},
		"offers without a city":      {"GET", "/offers?from=2027-01-10&to=2027-01-12&guests=1", "", "", 400},
		"offers for nobody":          {"GET", "/offers?city=Tallinn&from=2027-01-10&to=2027-01-12&guests=0", "", "", 400},
		"an unknown hotel":           {"GET", "/hotels/h-99", "", "", 404},
		"a booking without a key":    {"POST", "/bookings", "", weekend, 400},
		"a booking of a long key":    {"POST", "/bookings", strings.Repeat("k", 129), weekend, 400},
		"a booking of nothing":       {"POST", "/bookings", "r-1", "x", 400},
		"a booking nowhere":          {"POST", "/bookings", "r-1", strings.Replace(weekend, "h-3", "h-99", 1), 404},
		"a booking for no night":     {"POST", "/bookings", "r-1", strings.Replace(weekend, "12", "10", 1), 422},
		"a booking for ever":         {"POST", "/bookings", "r-1", strings.Replace(weekend, "2027-01-12", "2028-01-12", 1), 422},
		"a booking for a coach":      {"POST", "/bookings", "r-1", strings.Replace(weekend, `"guests":2`, `"guests":50`, 1), 422},
		"a path that is not there":   {"GET", "/rooms", "", "", 404},
		"a method that is not there": {"PUT", "/offers", "", "", 405},
	} {
		if status := c.ask(ask.method, ask.path, ask.key, ask.body, nil); status != ask.status {
			t.Errorf("%s: status %d, want %d", name, status, ask.status)
		}
	}
}
