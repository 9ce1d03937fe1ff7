package users_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/services/hotel"
	"portcullis/services/internal/wiretest"
)

const (
	exportPath  = "/v1/guests/g-7/export"
	removalPath = "/v1/guests/g-7/removal"
)

func TestTheExportIsComplete(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	w.tell(event(hotel.BookingConfirmed))
	w.until("the mail is noted as sent", func() bool {
		return bytes.Count(w.as("g-7", http.MethodGet, exportPath, "").Body, []byte(`"sent"`)) == 2
	})
	for name, n := range w.neighbours {
		n.set(func(n *neighbour) { n.held["g-7"] = `{"from":"` + name + `","reservations":[]}` })
	}
	a := w.as("g-7", http.MethodGet, exportPath, "")
	if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	var all struct {
		Guest    string
		Services map[string]json.RawMessage
	}
	a.Into(t, &all)
	for _, name := range []string{"reservations", "payments", "reporting", "booking"} {
		if !strings.Contains(string(all.Services[name]), `"from":"`+name+`"`) {
			t.Errorf("%s tells %s", name, all.Services[name])
		}
	}
	for _, own := range []string{"ada@guest.test", "+358", "booking_confirmed", `"sent"`} {
		if !strings.Contains(string(all.Services["users"]), own) {
			t.Errorf("our own lacks %s: %s", own, all.Services["users"])
		}
	}
}

func TestAnExportIsCompleteOrNone(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"reservations", "payments", "reporting", "booking"} {
		n := w.neighbours[name]
		for what, change := range map[string]func(*neighbour){
			"is away":       func(n *neighbour) { n.away = true },
			"tells a list":  func(n *neighbour) { n.held["g-7"] = `[]` },
			"tells nothing": func(n *neighbour) { n.held["g-7"] = `null` },
		} {
			n.set(change)
			a := w.as("g-7", http.MethodGet, exportPath, "")
			if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s: %d %s", name, what, a.StatusCode, a.Body)
			}
			n.set(func(n *neighbour) { n.away = false; delete(n.held, "g-7") })
		}
	}
	if a := w.as("g-7", http.MethodGet, exportPath, ""); a.StatusCode != http.StatusOK {
		t.Errorf("after all that: %d %s", a.StatusCode, a.Body)
	}
}

func (w *world) ask() wiretest.Answer {
	w.t.Helper()
	return w.as("g-7", http.MethodPost, removalPath, "")
}

func (w *world) removed() hotel.Removal {
	w.t.Helper()
	w.until("the removal is completed", func() bool { return w.left("g-7").Completed != nil })
	return w.left("g-7")
}

func TestARemovalHasEveryServiceForgetAndTheAccountLast(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	w.tell(event(hotel.BookingConfirmed))
	w.wait("ada@guest.test", 1)
	w.wait(desk, 1)
	if a := w.as("g-7", http.MethodGet, removalPath, ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("before: %d", a.StatusCode)
	}
	account, signedIn := make(chan hotel.Removal, 10), make(chan hotel.Removal, 10)
	w.neighbours["booking"].set(func(n *neighbour) { n.then = func() { signedIn <- w.left("g-7") } })
	w.neighbours["authserver"].set(func(n *neighbour) { n.then = func() { account <- w.left("g-7") } })
	if a := w.ask(); a.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	done := w.removed()
	if len(done.Left) != 0 || done.Asked.IsZero() || done.Blocked != "" {
		t.Errorf("%+v", done)
	}
	if before := <-signedIn; !slices.Equal(before.Left, []string{"booking", "authserver"}) {
		t.Errorf("before the guest is signed out, %q are left", before.Left)
	}
	if before := <-account; !slices.Equal(before.Left, []string{"authserver"}) {
		t.Errorf("before the account, %q are left", before.Left)
	}
	for name, n := range w.neighbours {
		if n.times("g-7") != 1 {
			t.Errorf("%s was asked %d times", name, n.times("g-7"))
		}
	}
	if a := w.ask(); a.StatusCode != http.StatusOK {
		t.Errorf("once more: %d", a.StatusCode)
	}
	if a := w.as("g-7", http.MethodGet, "/v1/guests/g-7/profile", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("the profile: %d", a.StatusCode)
	}
	// A form that was still open does not bring it back.
	if a := w.as("g-7", http.MethodPut, "/v1/guests/g-7/profile", ada); a.StatusCode != http.StatusConflict {
		t.Errorf("a new profile: %d", a.StatusCode)
	}
	w.stop()
	w.traceless("ada@guest.test", "Lovelace", "quiet room", `"4242"`)
}

// traceless wants none of the texts in any file of the database.
func (w *world) traceless(texts ...string) {
	w.t.Helper()
	files, err := filepath.Glob(w.database() + "*")
	if err != nil || len(files) == 0 {
		w.t.Fatal(files, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, text := range texts {
			if bytes.Contains(raw, []byte(text)) {
				w.t.Errorf("%s still holds %q", filepath.Base(f), text)
			}
		}
	}
}

func TestBookingsToComeAreCancelledFirst(t *testing.T) {
	w := newWorld(t)
	r := w.neighbours["reservations"]
	hold := func(state hotel.State, from, to int) {
		today := hotel.Today(time.Now())
		raw, err := json.Marshal(map[string]any{"reservations": []hotel.Reservation{
			{ID: "r-5", State: state, Stay: hotel.Stay{From: today + hotel.Date(from), To: today + hotel.Date(to)}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.set(func(n *neighbour) { n.held["g-7"] = string(raw) })
	}
	for name, c := range map[string]struct {
		state    hotel.State
		from, to int
	}{
		"one to come":              {hotel.Confirmed, 10, 12},
		"one under way":            {hotel.Confirmed, -1, 1},
		"one that is being made":   {hotel.Held, 10, 12},
		"one in a state to be yet": {"waitlisted", 10, 12},
	} {
		hold(c.state, c.from, c.to)
		if a := w.ask(); a.StatusCode != http.StatusConflict || !strings.Contains(string(a.Body), "r-5") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
		}
	}
	r.set(func(n *neighbour) { n.held["g-7"] = `{"bookings":[]}` }) // it says nothing of reservations
	if a := w.ask(); a.StatusCode != http.StatusBadGateway {
		t.Errorf("another shape: %d", a.StatusCode)
	}
	r.set(func(n *neighbour) { n.away = true })
	if a := w.ask(); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("reservations is away: %d", a.StatusCode)
	}
	r.set(func(n *neighbour) { n.away = false })
	if r.times("g-7") != 0 {
		t.Error("it was asked to forget all the same")
	}
	hold(hotel.Confirmed, -5, -3)
	if a := w.ask(); a.StatusCode != http.StatusAccepted {
		t.Errorf("after the last stay: %d %s", a.StatusCode, a.Body)
	}
	w.removed()
}

func TestABookingMadeAfterwardsKeepsTheRemovalWaiting(t *testing.T) {
	w := newWorld(t)
	r := w.neighbours["reservations"]
	// The booking comes between the question and the first step.
	w.neighbours["payments"].set(func(n *neighbour) { n.away = true })
	r.set(func(n *neighbour) { n.away = false })
	w.stop()
	service := w.open(w.database())
	t.Cleanup(func() { _ = service.Close() })
	w.serveOnly(service)
	if a := w.ask(); a.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	raw, err := json.Marshal(map[string]any{"reservations": []hotel.Reservation{event(hotel.BookingConfirmed).Reservation}})
	if err != nil {
		t.Fatal(err)
	}
	r.set(func(n *neighbour) { n.held["g-7"] = string(raw) })
	if _, err := service.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := w.left("g-7"); !strings.Contains(left.Blocked, "r-1") || len(left.Left) != 6 || r.times("g-7") != 0 {
		t.Errorf("%+v", left)
	}
	r.set(func(n *neighbour) { delete(n.held, "g-7") }) // it was cancelled
	w.neighbours["payments"].set(func(n *neighbour) { n.away = false })
	w.ahead.Store(60)
	for range 5 {
		if _, err := service.Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left := w.left("g-7"); left.Completed == nil || left.Blocked != "" {
		t.Errorf("%+v", left)
	}
}

func TestARemovalWaitsForWhoIsAwayAndShowsWhom(t *testing.T) {
	w := newWorld(t)
	w.neighbours["payments"].set(func(n *neighbour) { n.away = true })
	w.profile("g-7")
	if a := w.ask(); a.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	w.until("the others have forgotten", func() bool {
		return slices.Equal(w.left("g-7").Left, []string{"payments", "users", "booking", "authserver"})
	})
	if n := w.neighbours["authserver"].times("g-7"); n != 0 {
		t.Errorf("the account was ended %d times before all others were done", n)
	}
	w.neighbours["payments"].set(func(n *neighbour) { n.away = false })
	w.removed()
}

// A process is killed when a service has forgotten and before that is known, at
// each service in turn; the next one goes on.
func TestARemovalSurvivesKillsAtEveryStep(t *testing.T) {
	for _, at := range []string{"reservations", "payments", "reporting", "booking", "authserver"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t)
			w.profile("g-7")
			w.stop()
			killed := w.open(w.database())
			n := w.neighbours[at]
			// What comes after the neighbour's work finds the database closed: nothing
			// of it reaches the disk, as after a kill.
			n.set(func(n *neighbour) { n.then = func() { _ = killed.Close() } })
			w.serveOnly(killed)
			if a := w.ask(); a.StatusCode != http.StatusAccepted {
				t.Fatalf("%d %s", a.StatusCode, a.Body)
			}
			var err error
			for range 6 {
				if _, err = killed.Remove(t.Context()); err != nil {
					break
				}
			}
			if err == nil {
				t.Fatal("it was not killed")
			}
			n.set(func(n *neighbour) { n.then = nil })
			w.start()
			w.removed()
			for name, each := range w.neighbours {
				want := 1
				if name == at {
					want = 2 // it was asked again, which changes nothing there
				}
				if got := each.times("g-7"); got != want {
					t.Errorf("%s was asked %d times, want %d", name, got, want)
				}
			}
		})
	}
}

func TestWhatIsToldLateOfARemovedGuestNamesNobody(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	w.smtp.shut.Store(true)
	w.tell(event(hotel.BookingConfirmed))
	// No attempt is under way when the guest goes: what is being sent cannot be
	// called back.
	w.until("both mails have been tried", func() bool { return w.smtp.knocked.Load() >= 2 })
	if a := w.ask(); a.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	w.removed()
	w.tell(event(hotel.BookingCancelled))
	w.smtp.shut.Store(false)
	// The hotel hears that a room was taken and is free; of the guest nothing.
	for _, m := range w.wait(desk, 2) {
		if strings.Contains(m.Text+m.HTML, "Lovelace") || strings.Contains(m.Text+m.HTML, "quiet room") || strings.Contains(m.Text+m.HTML, "4242") {
			t.Errorf("the hotel is told\n%s", m.Text)
		}
	}
	if got := w.mails("ada@guest.test"); len(got) != 0 {
		t.Errorf("a removed guest is mailed: %+v", got)
	}
	w.stop()
	w.traceless("ada@guest.test", "Lovelace", "quiet room")
}

func TestWhatWaitsIsCounted(t *testing.T) {
	w := newWorld(t)
	metrics := prometheus.NewRegistry()
	if err := w.service.Register(metrics); err != nil {
		t.Fatal(err)
	}
	counted := func() map[string]float64 {
		all, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range all {
			got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
		}
		return got
	}
	w.smtp.shut.Store(true)
	w.tell(event(hotel.BookingConfirmed)) // the hotel's waits, the guest's has no address
	w.neighbours["payments"].set(func(n *neighbour) { n.away = true })
	if a := w.as("g-9", http.MethodPost, "/v1/guests/g-9/removal", ""); a.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", a.StatusCode, a.Body)
	}
	want := map[string]float64{"hotel_mails_waiting": 1, "hotel_mails_parked": 1, "hotel_mails_refused": 0, "hotel_removals_unfinished": 1}
	if got := counted(); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
