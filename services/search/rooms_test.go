package search_test

import (
	"net/http"
	"testing"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/problem"
	"portcullis/services/search"
)

// waits is how long search waits for reservations here: long on any machine,
// and much longer than a guest who can have an old answer.
const waits = time.Minute

func keeping(fresh, stale time.Duration) func(*search.Config) {
	return func(c *search.Config) { c.Fresh, c.Stale = fresh, stale }
}

func unavailable(rw http.ResponseWriter, r *http.Request) {
	problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "7"), "")
}

func TestFreeRoomsAreKeptForAMoment(t *testing.T) {
	w := newWorld(t, keeping(2*time.Second, time.Minute))
	for i, want := range []int64{1, 1, 2} {
		var found hotel.Offers
		if w.get(helsinki, &found); len(found.Hotels) == 0 || found.AsOf != nil {
			t.Errorf("search %d found %d hotels as of %v", i, len(found.Hotels), found.AsOf)
		}
		if w.asked.Load() != want {
			t.Errorf("after search %d reservations was asked %d times, want %d", i, w.asked.Load(), want)
		}
		w.later(1500 * time.Millisecond)
	}
	w.get("/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-13&guests=2", nil)
	w.get("/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=1", nil)
	w.get("/v1/hotels?city=Oslo&from=2027-01-10&to=2027-01-12&guests=2", nil)
	if w.asked.Load() != 5 {
		t.Errorf("reservations was asked %d times, want once for each question", w.asked.Load())
	}
}

func TestWhileReservationsIsAwayAnOldAnswerIsGivenWithItsAge(t *testing.T) {
	w := newWorld(t, keeping(2*time.Second, time.Minute))
	var before, found hotel.Offers
	w.get(helsinki, &before)
	w.tell(unavailable)
	w.later(30 * time.Second)
	if resp := w.get(helsinki, &found); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if len(found.Hotels) != len(before.Hotels) || found.AsOf == nil || !found.AsOf.Equal(today) {
		t.Errorf("%d hotels as of %v, want %d as of %v", len(found.Hotels), found.AsOf, len(before.Hotels), today)
	}
	if resp := w.get("/v1/hotels?city=Oslo&from=2027-01-10&to=2027-01-12&guests=2", nil); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("what was not asked before: status %d", resp.StatusCode)
	}
	w.later(30 * time.Second)
	if resp := w.get(helsinki, nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("what is too old: status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

func TestAGuestDoesNotWaitForReservationsWhenThereIsAnOldAnswer(t *testing.T) {
	w := newWorld(t, keeping(2*time.Second, time.Minute))
	w.get(helsinki, nil)
	w.later(10 * time.Second)
	release := make(chan struct{})
	defer close(release)
	w.tell(func(http.ResponseWriter, *http.Request) { <-release })
	var found hotel.Offers
	begun := time.Now()
	if w.get(helsinki, &found); found.AsOf == nil || time.Since(begun) > waits/2 {
		t.Errorf("after %v an answer as of %v", time.Since(begun), found.AsOf)
	}
}

func TestReservationsSpeakingNonsenseIsNotHidden(t *testing.T) {
	w := newWorld(t, keeping(2*time.Second, time.Minute))
	w.get(helsinki, nil)
	w.later(10 * time.Second)
	w.tell(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) })
	if resp := w.get(helsinki, nil); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", resp.StatusCode)
	}
}
