package pages_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestGuessingMakesTheGuesserWaitAndNobodyElse(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	s.signedUp(t, "bob@hotel.example")
	b := s.browser(t)
	for i := range 6 {
		if a := b.post("/signin", "email", "ada@hotel.example", "password", fmt.Sprintf("guess number %d", i)); a.status != http.StatusForbidden {
			t.Fatalf("guess %d: %d", i, a.status)
		}
	}
	a := b.post("/signin", "email", "ADA@hotel.example", "password", password) // another spelling, and even the right one
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" || !a.shown("Wait a second") || !a.shown("ADA@hotel.example") {
		t.Errorf("the seventh guess: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	if a := b.post("/signin", "email", "bob@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Errorf("Bob, at the same source, waits too: %d", a.status)
	}
	s.clock.advance(time.Second)
	if a := b.post("/signin", "email", "ada@hotel.example", "password", "one more guess"); a.status != http.StatusForbidden {
		t.Fatalf("a guess after the wait: %d", a.status)
	}
	if a := b.post("/signin", "email", "ada@hotel.example", "password", password); a.header.Get("Retry-After") != "2" {
		t.Errorf("the wait has not doubled: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	s.clock.advance(2 * time.Second)
	if a := b.post("/signin", "email", "ada@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Errorf("the owner is locked out: %d", a.status)
	}
}

func TestTheOwnerSignsInFromElsewhereWhileAnAttackerGuesses(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	handler := s.Config.Handler
	from := func(address, password string) int {
		r := s.browser(t).request("/signin", "email", "ada@hotel.example", "password", password)
		w := &recorder{header: http.Header{}}
		r.RemoteAddr = address
		handler.ServeHTTP(w, r)
		return w.status
	}
	for range 8 {
		from("198.51.100.7:4711", "a wrong guess")
	}
	if got := from("198.51.100.7:4711", password); got != http.StatusTooManyRequests {
		t.Errorf("the attacker: %d", got)
	}
	if got := from("192.0.2.1:4711", password); got != http.StatusSeeOther {
		t.Errorf("the owner: %d", got)
	}
	// One machine has a whole /64: its addresses are one source.
	for i := range 8 {
		from(fmt.Sprintf("[2001:db8::%d]:4711", i+1), "a wrong guess")
	}
	if got := from("[2001:db8::ffff]:4711", password); got != http.StatusTooManyRequests {
		t.Errorf("the attacker from a fresh address of the same network: %d", got)
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func TestAFloodOfFormsFromOneSourceIsStopped(t *testing.T) {
	t.Parallel()
	s := startWith(t, pagesRate(5))
	b := s.browser(t)
	for i := range 7 {
		a := b.post("/reset", "email", "bob@hotel.example")
		if want := map[bool]int{true: http.StatusSeeOther, false: http.StatusTooManyRequests}[i < 5]; a.status != want {
			t.Errorf("form %d: %d, want %d", i, a.status, want)
		}
		if i >= 5 && (a.header.Get("Retry-After") == "" || !a.shown("Wait a minute")) {
			t.Errorf("form %d does not say when to come back: %v", i, a.header)
		}
	}
	if a := b.get("/signin"); a.status != http.StatusOK {
		t.Errorf("pages are refused as well: %d", a.status)
	}
}

func TestManySignInsAtOnceAreToldToComeBack(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	var all sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for i := range 200 {
		all.Go(func() {
			a := s.browser(t).post("/signin", "email", fmt.Sprintf("nobody%d@hotel.example", i), "password", "x")
			mu.Lock()
			defer mu.Unlock()
			count[a.status]++
			if a.status == http.StatusServiceUnavailable && (a.header.Get("Retry-After") == "" || !a.shown("Many people are signing in")) {
				t.Errorf("it does not say when to come back: %v", a.header)
			}
		})
	}
	all.Wait()
	if count[http.StatusForbidden] == 0 || count[http.StatusServiceUnavailable] == 0 || count[http.StatusForbidden]+count[http.StatusServiceUnavailable] != 200 {
		t.Errorf("answers by status: %v, want some 403 and the rest 503", count)
	}
	if a := s.browser(t).post("/signin", "email", "ada@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Errorf("afterwards: %d", a.status)
	}
}
