package search_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/problem"
	"portcullis/services/search"
)

const helsinki = "/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2"

func TestSearchFindsTheHotelsOfACityCheapestFirst(t *testing.T) {
	w := newWorld(t)
	var found hotel.Offers
	if resp := w.get(helsinki, &found); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if len(found.Hotels) < 3 {
		t.Fatalf("%d hotels in Helsinki, want a few", len(found.Hotels))
	}
	if !slices.IsSortedFunc(found.Hotels, func(a, b hotel.Offer) int { return int(a.Total.Amount - b.Total.Amount) }) {
		t.Error("the hotels are not sorted by price")
	}
	for _, h := range found.Hotels {
		if h.City != "Helsinki" || h.Free != h.Rooms || h.Total != h.Price.Times(2) {
			t.Errorf("an offer that does not fit: %+v", h)
		}
	}
	if w.asked.Load() != 1 {
		t.Errorf("reservations was asked %d times for one search, want once", w.asked.Load())
	}
}

func TestSearchLeavesOut(t *testing.T) {
	t.Run("hotels without a free room", func(t *testing.T) {
		w := newWorld(t)
		w.tell(func(rw http.ResponseWriter, r *http.Request) {
			var ask hotel.AvailabilityRequest
			if err := wire.Decode(rw, r, &ask); err != nil {
				t.Error(err)
			}
			var free hotel.Availability
			for i, h := range ask.Hotels {
				free.Hotels = append(free.Hotels, hotel.FreeRooms{Hotel: h.Hotel, Free: i % 2})
			}
			_ = wire.Answer(rw, http.StatusOK, free)
		})
		var found hotel.Offers
		w.get(helsinki, &found)
		if len(found.Hotels) != 3 {
			t.Errorf("%d hotels, want the 3 of 6 that have a room", len(found.Hotels))
		}
	})
	t.Run("hotels whose rooms are too small", func(t *testing.T) {
		var found hotel.Offers
		newWorld(t).get(strings.Replace(helsinki, "guests=2", "guests=4", 1), &found)
		if len(found.Hotels) == 0 {
			t.Error("no hotel takes four guests")
		}
		for _, h := range found.Hotels {
			if h.Sleeps < 4 {
				t.Errorf("%s sleeps %d", h.Name, h.Sleeps)
			}
		}
	})
}

func TestSearchInACityWithoutHotelsFindsNoneAndAsksNobody(t *testing.T) {
	w := newWorld(t)
	var found hotel.Offers
	if resp := w.get(strings.Replace(helsinki, "Helsinki", "Atlantis", 1), &found); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if found.Hotels == nil || len(found.Hotels) != 0 || w.asked.Load() != 0 {
		t.Errorf("hotels %v after %d questions, want an empty list after none", found.Hotels, w.asked.Load())
	}
}

func TestTheCaseOfTheCityDoesNotMatter(t *testing.T) {
	var found hotel.Offers
	newWorld(t).get(strings.Replace(helsinki, "Helsinki", "hELSINKI", 1), &found)
	if len(found.Hotels) == 0 {
		t.Error("nothing found")
	}
}

func TestSearchNeverInventsRooms(t *testing.T) {
	for name, c := range map[string]struct {
		neighbour  http.HandlerFunc
		status     int
		retryAfter string
	}{
		"reservations is busy": {func(rw http.ResponseWriter, r *http.Request) {
			problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "7"), "")
		}, http.StatusServiceUnavailable, "7"},
		"reservations fails": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusInternalServerError)
		}, http.StatusServiceUnavailable, "2"},
		"reservations hangs up": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, http.StatusServiceUnavailable, "2"},
		"reservations takes too long": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server would not see that the caller has gone
			<-r.Context().Done()
		}, http.StatusServiceUnavailable, "2"},
		"reservations does not let search in": {func(rw http.ResponseWriter, r *http.Request) {
			problem.Write(rw, r, problem.New(problem.InsufficientScope, ""), "")
		}, http.StatusBadGateway, ""},
		"reservations refuses the question": {func(rw http.ResponseWriter, r *http.Request) {
			problem.Write(rw, r, problem.New(problem.Unprocessable, "no"), "")
		}, http.StatusBadGateway, ""},
		"reservations answers for too few hotels": {func(rw http.ResponseWriter, _ *http.Request) {
			_ = wire.Answer(rw, http.StatusOK, hotel.Availability{Hotels: []hotel.FreeRooms{{Hotel: "h-1", Free: 3}}})
		}, http.StatusBadGateway, ""},
		"reservations speaks nonsense": {func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte("<html>"))
		}, http.StatusBadGateway, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := waits
			if name == "reservations takes too long" {
				patience = waits / 30
			}
			w := newWorldWaiting(t, patience)
			w.tell(c.neighbour)
			resp := w.get(helsinki, nil)
			if resp.StatusCode != c.status || resp.Header.Get("Retry-After") != c.retryAfter {
				t.Errorf("status %d, Retry-After %q, want %d and %q", resp.StatusCode, resp.Header.Get("Retry-After"), c.status, c.retryAfter)
			}
		})
	}
	t.Run("reservations is down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.neighbour.Close()
		resp := w.get(helsinki, nil)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q, want 503 and some seconds", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
	t.Run("the token service is down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		if resp := w.get("/v1/hotels/h-1", nil); resp.StatusCode != http.StatusOK { // search has the keys now
			t.Fatalf("status %d", resp.StatusCode)
		}
		w.issuer.Down()
		resp := w.get(helsinki, nil)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q, want 503 and some seconds", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
}

func TestSearchRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	for name, query := range map[string]string{
		"no city":              "from=2027-01-10&to=2027-01-12&guests=2",
		"a city of a novel":    "city=" + strings.Repeat("x", 65) + "&from=2027-01-10&to=2027-01-12",
		"a line break in city": "city=Hel%0Asinki&from=2027-01-10&to=2027-01-12",
		"no arrival":           "city=Helsinki&to=2027-01-12",
		"no departure":         "city=Helsinki&from=2027-01-10",
		"not a date":           "city=Helsinki&from=tomorrow&to=2027-01-12",
		"the past":             "city=Helsinki&from=2026-12-31&to=2027-01-02",
		"a month and a day":    "city=Helsinki&from=2027-01-10&to=2027-02-10",
		"no guests":            "city=Helsinki&from=2027-01-10&to=2027-01-12&guests=0",
		"nine guests":          "city=Helsinki&from=2027-01-10&to=2027-01-12&guests=9",
		"two and a half":       "city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2.5",
		"two cities":           "city=Helsinki&city=Oslo&from=2027-01-10&to=2027-01-12",
	} {
		t.Run(name, func(t *testing.T) {
			if resp := w.get("/v1/hotels?"+query, nil); resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("status %d, want 422", resp.StatusCode)
			}
		})
	}
	if w.asked.Load() != 0 {
		t.Error("reservations was asked all the same")
	}
}

func TestAHotelsPageAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.neighbour.Close()
	var h hotel.Hotel
	if resp := w.get("/v1/hotels/h-1", &h); resp.StatusCode != http.StatusOK || h.ID != "h-1" || h.Rooms < 1 || h.Price.Amount < 1 {
		t.Errorf("status %d, hotel %+v", resp.StatusCode, h)
	}
	for _, unknown := range []string{"h-0", "h-99999", "%27%20OR%201=1--", strings.Repeat("h", 100)} {
		if resp := w.get("/v1/hotels/"+unknown, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("hotel %s: status %d, want 404", unknown, resp.StatusCode)
		}
	}
}

func TestWhoeverHasNoTokenForSearchIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		bearer string
		status int
	}{
		"no token":                  {"", http.StatusUnauthorized},
		"garbage":                   {"garbage", http.StatusUnauthorized},
		"a token for the neighbour": {w.issuer.Mint(map[string]any{"aud": "reservations", "scope": hotel.ScopeSearchRead}), http.StatusUnauthorized},
		"a token for the gateway":   {w.issuer.Mint(map[string]any{"scope": hotel.ScopeSearchRead}), http.StatusUnauthorized},
		"a token without scope":     {w.issuer.Mint(map[string]any{"aud": "search", "scope": "other"}), http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{helsinki, "/v1/hotels/h-1"} {
				if resp := w.getAs(c.bearer, path, nil); resp.StatusCode != c.status {
					t.Errorf("%s: status %d, want %d", path, resp.StatusCode, c.status)
				}
			}
		})
	}
}

func TestTheContractIsWhatIsServed(t *testing.T) {
	w := newWorld(t)
	service, err := search.New(t.Context(), search.Config{
		Path: t.TempDir() + "/search.db", Guard: wiretest.Guard(w.t, w.issuer, "search"), Reservations: new(peer.Client), Log: discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	contract.Serves(t, search.Contract(), service.Handler())
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/v1/nothing", http.StatusNotFound, ""},
		{http.MethodDelete, "/v1/hotels/h-1", http.StatusMethodNotAllowed, "GET, HEAD"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, w.url+c.path, nil)
		r.RequestURI = ""
		resp, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		p, err := problem.Read(resp)
		_ = resp.Body.Close()
		if err != nil || p.Status() != c.status || resp.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %v, Allow %q, %v", c.method, c.path, p, resp.Header.Get("Allow"), err)
		}
	}
}
