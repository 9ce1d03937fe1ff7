package reservations_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/problem"
	"portcullis/services/reservations"
)

const (
	lastRoom = `{"hotel":"h-1","from":"2027-01-10","to":"2027-01-12","guests":2,"note":"select a room from the top floor"}`
	oneOf3   = `{"hotel":"h-2","from":"2027-01-10","to":"2027-01-12","guests":2}`
)

func TestAHundredGuestsOneRoomOneReservation(t *testing.T) {
	w := newWorld(t)
	// The issuer's keys are fetched first: a hundred who wait for them at once
	// may wait too long on a slow machine, and this is about rooms.
	w.as("g-0", http.MethodGet, "/v1/guests/g-0/reservations", "")
	var won, lost atomic.Int64
	var guests sync.WaitGroup
	for i := range 100 {
		guests.Go(func() {
			a := w.insists(fmt.Sprintf("g-%d", i), lastRoom)
			switch a.StatusCode {
			case http.StatusCreated:
				won.Add(1)
			case http.StatusConflict:
				lost.Add(1)
			default:
				t.Errorf("guest %d got %d: %s", i, a.StatusCode, a.Body)
			}
		})
	}
	guests.Wait()
	if won.Load() != 1 || lost.Load() != 99 {
		t.Errorf("%d got the room and %d did not, want 1 and 99", won.Load(), lost.Load())
	}
}

func TestABookingIsWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	a := w.as("g-7", http.MethodPost, "/v1/reservations", lastRoom)
	var booked hotel.Reservation
	a.Into(t, &booked)
	if a.StatusCode != http.StatusCreated || a.Header.Get("Location") != "/v1/reservations/"+booked.ID {
		t.Fatalf("status %d, Location %q", a.StatusCode, a.Header.Get("Location"))
	}
	if booked.Guest != "g-7" || booked.State != hotel.Confirmed || booked.Nights() != 2 ||
		booked.Total != (hotel.Money{Amount: 20000, Currency: "EUR"}) || booked.Note != "select a room from the top floor" {
		t.Errorf("booked %+v", booked)
	}
	shown := w.as("g-7", http.MethodGet, a.Header.Get("Location"), "")
	if string(shown.Body) != string(a.Body) {
		t.Errorf("shown as %s, booked as %s", shown.Body, a.Body)
	}
}

func TestOnlyItsGuestSeesAReservation(t *testing.T) {
	w := newWorld(t)
	path := "/v1/reservations/" + w.book("g-7", oneOf3).ID
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		other, none := w.as("g-9", method, path, ""), w.as("g-9", method, "/v1/reservations/r-none", "")
		if other.StatusCode != http.StatusNotFound || none.StatusCode != http.StatusNotFound {
			t.Errorf("%s: another's is %d, nobody's is %d, want 404 twice", method, other.StatusCode, none.StatusCode)
		}
	}
	if a := w.as("g-9", http.MethodGet, "/v1/guests/g-7/reservations", ""); a.StatusCode != http.StatusForbidden {
		t.Errorf("another's list is %d, want 403", a.StatusCode)
	}
	var own hotel.Reservation
	w.as("g-7", http.MethodGet, path, "").Into(t, &own)
	if own.State != hotel.Confirmed {
		t.Errorf("after another tried to cancel it, it is %s", own.State)
	}
}

func TestCancelling(t *testing.T) {
	t.Run("frees the room, and once more changes nothing", func(t *testing.T) {
		w := newWorld(t)
		first := w.book("g-7", lastRoom)
		for range 2 {
			if a := w.as("g-7", http.MethodDelete, "/v1/reservations/"+first.ID, ""); a.StatusCode != http.StatusNoContent {
				t.Fatalf("status %d: %s", a.StatusCode, a.Body)
			}
		}
		second := w.book("g-9", lastRoom)
		// The first guest's late repetition must not free the second's room.
		w.as("g-7", http.MethodDelete, "/v1/reservations/"+first.ID, "")
		if a := w.as("g-8", http.MethodPost, "/v1/reservations", lastRoom); a.StatusCode != http.StatusConflict {
			t.Errorf("a third guest got %d while %s is booked", a.StatusCode, second.ID)
		}
		var shown hotel.Reservation
		w.as("g-7", http.MethodGet, "/v1/reservations/"+first.ID, "").Into(t, &shown)
		if shown.State != hotel.Cancelled || shown.Cancelled == nil {
			t.Errorf("it is %s, cancelled at %v", shown.State, shown.Cancelled)
		}
	})
	t.Run("is possible on the day of arrival and not after", func(t *testing.T) {
		w := newWorld(t)
		early, late := w.book("g-7", oneOf3), w.book("g-7", oneOf3)
		w.now.Store(time.Date(2027, 1, 10, 23, 59, 59, 0, time.UTC).Unix())
		if a := w.as("g-7", http.MethodDelete, "/v1/reservations/"+early.ID, ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("on the day of arrival: status %d", a.StatusCode)
		}
		w.now.Add(1)
		if a := w.as("g-7", http.MethodDelete, "/v1/reservations/"+late.ID, ""); a.StatusCode != http.StatusConflict {
			t.Errorf("a day later: status %d", a.StatusCode)
		}
	})
}

func TestRoomsAreCountedPerNight(t *testing.T) {
	stay := func(from, to string) string {
		return fmt.Sprintf(`{"hotel":"h-1","from":"2027-01-%s","to":"2027-01-%s","guests":1}`, from, to)
	}
	for name, c := range map[string]struct {
		from, to string
		status   int
	}{
		"arriving on the day another leaves is fine": {"12", "14", http.StatusCreated},
		"leaving on the day another arrives is fine": {"08", "10", http.StatusCreated},
		"sharing the last night is not":              {"11", "13", http.StatusConflict},
		"sharing the first night is not":             {"09", "11", http.StatusConflict},
		"lying around it is not":                     {"09", "13", http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.book("g-1", stay("10", "12"))
			if a := w.as("g-2", http.MethodPost, "/v1/reservations", stay(c.from, c.to)); a.StatusCode != c.status {
				t.Errorf("status %d, want %d", a.StatusCode, c.status)
			}
		})
	}
	t.Run("two short stays side by side leave a room for a long one", func(t *testing.T) {
		w := newWorld(t)
		w.book("g-1", strings.Replace(stay("10", "12"), "h-1", "h-2", 1))
		w.book("g-2", strings.Replace(stay("12", "14"), "h-1", "h-2", 1))
		var quote hotel.Quote
		a := w.as("g-3", http.MethodPost, "/v1/quotes", strings.Replace(stay("10", "14"), "h-1", "h-2", 1))
		a.Into(t, &quote)
		if quote.Free != 2 || quote.Total.Amount != 40000 {
			t.Errorf("%d rooms free of 3 for %d, want 2 for 40000", quote.Free, quote.Total.Amount)
		}
	})
}

func TestAvailabilityKeepsTheOrderAndNeverGoesBelowZero(t *testing.T) {
	w := newWorld(t)
	w.book("g-1", oneOf3)
	w.book("g-2", oneOf3)
	ask := `{"hotels":[{"hotel":"h-9","rooms":5},{"hotel":"h-2","rooms":3},{"hotel":"h-2","rooms":1}],"from":"2027-01-11","to":"2027-01-13"}`
	var free hotel.Availability
	w.as("search", http.MethodPost, "/v1/availability", ask).Into(t, &free)
	want := []hotel.FreeRooms{{Hotel: "h-9", Free: 5}, {Hotel: "h-2", Free: 1}, {Hotel: "h-2", Free: 0}}
	if fmt.Sprint(free.Hotels) != fmt.Sprint(want) {
		t.Errorf("free rooms %v, want %v", free.Hotels, want)
	}
}

func TestAGuestsReservationsComeInPagesNewestFirst(t *testing.T) {
	w := newWorld(t)
	guest := "auth0|7/ä" // a subject that a path must escape
	var booked []string
	for day := 10; day < 15; day++ {
		r := w.book(guest, fmt.Sprintf(`{"hotel":"h-1","from":"2027-01-%d","to":"2027-01-%d","guests":1}`, day, day+1))
		booked = append(booked, r.ID)
	}
	w.book("g-9", oneOf3)
	var seen []string
	path := "/v1/guests/" + url.PathEscape(guest) + "/reservations?limit=2"
	for after := ""; ; {
		var page hotel.Reservations
		a := w.as(guest, http.MethodGet, path+after, "")
		if a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.Body)
		}
		a.Into(t, &page)
		for _, r := range page.Reservations {
			seen = append([]string{r.ID}, seen...)
		}
		if page.Next == "" {
			break
		}
		after = "&after=" + page.Next
	}
	if fmt.Sprint(seen) != fmt.Sprint(booked) {
		t.Errorf("seen %v, booked %v", seen, booked)
	}
	var none hotel.Reservations
	w.as("g-1", http.MethodGet, "/v1/guests/g-1/reservations", "").Into(t, &none)
	if none.Reservations == nil || len(none.Reservations) != 0 {
		t.Errorf("a new guest has %v, want an empty list", none.Reservations)
	}
	for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?limit=1&limit=2", "?after=r-none", "?after=%27"} {
		if a := w.as("g-1", http.MethodGet, "/v1/guests/g-1/reservations"+query, ""); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d, want 422", query, a.StatusCode)
		}
	}
}

func TestBookingRefuses(t *testing.T) {
	w := newWorld(t)
	change := func(old, replacement string) string { return strings.Replace(lastRoom, old, replacement, 1) }
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"an unknown hotel":              {change("h-1", "h-99"), 422, "no hotel"},
		"an id that leaves its path":    {change("h-1", "../h-1"), 422, "id"},
		"a stay in the past":            {change("2027-01-10", "2026-12-31"), 422, "past"},
		"an empty stay":                 {change("2027-01-10", "2027-01-12"), 422, "after"},
		"a stay of a month and a day":   {change("2027-01-12", "2027-02-10"), 422, "30"},
		"no guests":                     {change(`"guests":2`, `"guests":0`), 422, "1 to 8"},
		"nine guests":                   {change(`"guests":2`, `"guests":9`), 422, "1 to 8"},
		"more guests than a room takes": {change(`"guests":2`, `"guests":3`), 422, "at most 2"},
		"a missing date":                {change(`"from":"2027-01-10",`, ``), 422, "missing"},
		"a long note":                   {change("select", strings.Repeat("ä", 501)), 422, "500"},
		"an unknown field":              {change(`"guests"`, `"price":1,"guests"`), 422, "price"},
		"a field in another case":       {change(`"guests":2`, `"guests":2,"Guests":3`), 422, "Guests"},
		"a field twice":                 {change(`"guests":2`, `"guests":2,"guests":1`), 422, "twice"},
		"a number as text":              {change(`"guests":2`, `"guests":"2"`), 422, "guests"},
		"half a body":                   {lastRoom[:40], 400, "JSON"},
		"two values":                    {lastRoom + lastRoom, 400, "JSON"},
		"a body above 64 KiB":           {change("select", strings.Repeat(" ", 65<<10)), 413, "65536"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.as("g-7", http.MethodPost, "/v1/reservations", c.body)
			if a.StatusCode != c.status || !strings.Contains(string(a.Body), c.says) {
				t.Errorf("answer %d %s, want %d that says %q", a.StatusCode, a.Body, c.status, c.says)
			}
		})
	}
	if a := w.as("g-7", http.MethodPost, "/v1/reservations", change("select", strings.Repeat("ä", 468))); a.StatusCode != http.StatusCreated {
		t.Errorf("a note of 500 characters: %d %s", a.StatusCode, a.Body)
	}
}

func TestNothingIsBookedWithoutAPrice(t *testing.T) {
	for name, c := range map[string]struct {
		search http.HandlerFunc
		status int
	}{
		"search is busy": {func(rw http.ResponseWriter, r *http.Request) {
			problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "3"), "")
		}, http.StatusServiceUnavailable},
		"search describes another hotel": {func(rw http.ResponseWriter, _ *http.Request) {
			_ = wire.Answer(rw, http.StatusOK, hotel.Hotel{ID: "h-2", Rooms: 1, Sleeps: 2, Price: hotel.Money{Amount: 1, Currency: "EUR"}})
		}, http.StatusBadGateway},
		"search gives rooms away": {func(rw http.ResponseWriter, _ *http.Request) {
			_ = wire.Answer(rw, http.StatusOK, hotel.Hotel{ID: "h-1", Rooms: 1, Sleeps: 2})
		}, http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.answers.Store(&c.search)
			for _, path := range []string{"/v1/reservations", "/v1/quotes"} {
				body := lastRoom
				if path == "/v1/quotes" {
					body = `{"hotel":"h-1","from":"2027-01-10","to":"2027-01-12","guests":2}`
				}
				if a := w.as("g-7", http.MethodPost, path, body); a.StatusCode != c.status {
					t.Errorf("%s: status %d, want %d", path, a.StatusCode, c.status)
				}
			}
			w.answers.Store(nil)
			w.book("g-8", lastRoom) // the failure took no room
		})
	}
	t.Run("search is down, and what is booked is still there", func(t *testing.T) {
		w := newWorld(t)
		path := "/v1/reservations/" + w.book("g-7", oneOf3).ID
		w.search.Close()
		if a := w.as("g-7", http.MethodPost, "/v1/reservations", oneOf3); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("booking: status %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
		}
		if a := w.as("g-7", http.MethodGet, path, ""); a.StatusCode != http.StatusOK {
			t.Errorf("showing: status %d", a.StatusCode)
		}
		if a := w.as("g-7", http.MethodDelete, path, ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("cancelling: status %d", a.StatusCode)
		}
	})
}

func TestEveryOperationWantsItsScopeAndAudience(t *testing.T) {
	w := newWorld(t)
	path := "/v1/reservations/" + w.book("g-7", oneOf3).ID
	wiretest.WantsItsScope(t, w.issuer, "reservations", "search", every, []wiretest.Operation{
		{Method: http.MethodPost, Path: "/v1/quotes", Body: oneOf3, Scope: hotel.ScopeReservationsRead},
		{Method: http.MethodPost, Path: "/v1/reservations", Body: oneOf3, Scope: hotel.ScopeReservationsWrite},
		{Method: http.MethodGet, Path: path, Scope: hotel.ScopeReservationsRead},
		{Method: http.MethodDelete, Path: path, Scope: hotel.ScopeReservationsWrite},
		{Method: http.MethodGet, Path: "/v1/guests/g-7/reservations", Scope: hotel.ScopeReservationsRead},
		{Method: http.MethodPost, Path: "/v1/availability", Body: `{"hotels":[{"hotel":"h-1","rooms":1}],"from":"2027-01-10","to":"2027-01-12"}`, Scope: hotel.ScopeAvailabilityRead},
	}, w.with)
}

func TestTheContractIsWhatIsServed(t *testing.T) {
	contract.Serves(t, reservations.Contract(), newWorld(t).service.Handler())
}
