package reservations_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/reservations"
)

func TestWhoIsTooSlowIsToldToLookAgain(t *testing.T) {
	w := newWorld(t, func(c *reservations.Config) { c.Patience = time.Millisecond })
	slow := make(chan struct{})
	w.outside.with(func(c string, _ int, done bool) verdict {
		if c == "payments POST /v1/charges" && !done {
			<-slow
		}
		return goOn
	})
	first := w.keyed("k-1", w.bearer("g-7"), http.MethodPost, "/v1/reservations", paying("h-1", good))
	var held hotel.Reservation
	first.Into(t, &held)
	path := first.Header.Get("Location")
	if first.StatusCode != http.StatusAccepted || held.State != hotel.Held || path != "/v1/reservations/"+held.ID {
		t.Fatalf("status %d, Location %q: %s", first.StatusCode, path, first.Body)
	}
	if again := w.keyed("k-1", w.bearer("g-7"), http.MethodPost, "/v1/reservations", paying("h-1", good)); again.StatusCode != 202 || again.Header.Get("Location") != path {
		t.Errorf("sent again it is %d: %s", again.StatusCode, again.Body)
	}
	if a := w.as("g-7", http.MethodDelete, path, ""); a.StatusCode != http.StatusConflict {
		t.Errorf("cancelling what is not decided: %d", a.StatusCode)
	}
	if err := w.service.Step(t.Context()); err != nil { // the worker leaves it alone
		t.Fatal(err)
	}
	close(slow)
	w.undriven()
	w.finish()
	if again := w.keyed("k-1", w.bearer("g-7"), http.MethodPost, "/v1/reservations", paying("h-1", good)); again.StatusCode != 201 || again.Header.Get("Location") != path {
		t.Errorf("sent again it is %d: %s", again.StatusCode, again.Body)
	}
	if all := w.whole("g-7"); len(all) != 1 || all[0].State != hotel.Confirmed {
		t.Errorf("%+v", all)
	}
}

func TestAHoldExpiresThoughNobodyCanBeAsked(t *testing.T) {
	w := newWorld(t, func(c *reservations.Config) { c.Hold = time.Minute })
	away := func(c string, _ int, done bool) verdict {
		if strings.HasPrefix(c, "payments") && !done {
			return busy
		}
		return goOn
	}
	w.outside.with(func(c string, n int, done bool) verdict {
		if c == "payments POST /v1/charges" {
			if done {
				return cut // the money is taken, and nobody hears of it
			}
			return goOn
		}
		return away(c, n, done)
	})
	if a := w.as("g-7", http.MethodPost, "/v1/reservations", paying("h-1", good)); a.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d: %s", a.StatusCode, a.Body)
	}
	w.outside.with(away)
	for range 2 { // few enough for the breaker, whose clock is the real one
		if err := w.service.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.now.Add(29)
	}
	if w.free("h-1", 1) != 0 {
		t.Error("the room was given away before the hold expired")
	}
	w.now.Add(5)
	if err := w.service.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.all("g-7")[0]; r.State != hotel.Released || r.Reason != hotel.ReasonExpired || w.free("h-1", 1) != 1 {
		t.Errorf("it is %s (%s), %d rooms are free", r.State, r.Reason, w.free("h-1", 1))
	}
	w.outside.with(nil)
	w.now.Add(60)
	w.finish()
	if r := w.whole("g-7")[0]; r.Payment.Status != hotel.ChargeVoided {
		t.Errorf("the charge is %s", r.Payment.Status)
	}
}

func TestRunEndsWhatIsHeldAndWhatIsToBeTold(t *testing.T) {
	w := newWorld(t)
	slow := make(chan struct{})
	arrived := make(chan struct{}, 8)
	w.outside.with(func(c string, _ int, done bool) verdict {
		if c == "payments POST /v1/charges" && !done {
			arrived <- struct{}{}
			<-slow
		}
		return goOn
	})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		w.unchecked("g-7", paying("h-1", good))
	}()
	<-arrived
	if err := w.service.Close(); err != nil { // while the bank thinks
		t.Fatal(err)
	}
	close(slow)
	<-gone
	w.outside.with(nil)
	w.open()
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.service.Run(ctx) }()
	for range 6000 { // half a minute: a hundred guests pay on a busy machine
		if held, waiting, _, err := w.service.Left(t.Context()); err == nil && held+waiting == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	end()
	<-ended
	if all := w.whole("g-7"); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}
