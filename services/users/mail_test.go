package users_test

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"portcullis/services/hotel"
)

const desk = "bookings@h-1.hotel.test"

func TestAConfirmationIsMailedOnceWithItsReceipt(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	for range 3 { // whoever tells of it does so until it was taken
		w.tell(event(hotel.BookingConfirmed, func(e *hotel.Event) { e.Reservation.Receipt = "receipt-r-1" }))
	}
	m := w.wait("ada@guest.test", 1)[0]
	notice := w.wait(desk, 1)[0]
	if m.Subject != "Your booking at Harbour & Light is confirmed" || !strings.Contains(m.From, "bookings@hotel.test") {
		t.Errorf("%q from %q", m.Subject, m.From)
	}
	for _, say := range []string{"Harbour & Light, Helsinki", "246.00 EUR", "by card ending in 4242", "r-1", "2 nights, 2 guests", "https://localhost:8443/bookings"} {
		if !strings.Contains(m.Text, say) {
			t.Errorf("the text does not say %q:\n%s", say, m.Text)
		}
	}
	if !strings.Contains(m.HTML, "Harbour &amp; Light") || !strings.Contains(m.HTML, `href="https://localhost:8443/bookings"`) {
		t.Errorf("the HTML is\n%s", m.HTML)
	}
	// Who gives another's address as their own must not write to them.
	if strings.Contains(m.Text+m.HTML, "Lovelace") || strings.Contains(m.Text+m.HTML, "quiet room") {
		t.Error("the guest's mail holds what a guest typed")
	}
	if got := w.page("/messages/" + itoa(m.ID) + "/attachments/1"); got != pdf {
		t.Errorf("the attachment is %q", got)
	}
	if page := w.page("/messages/" + itoa(m.ID)); !strings.Contains(page, "receipt-r-1.pdf") || !strings.Contains(page, "application/pdf") {
		t.Errorf("the attachment has another name or type: %s", page)
	}
	if notice.Subject == "" || !strings.Contains(notice.Text, "Ada Lovelace") || !strings.Contains(notice.Text, "a quiet room, please") {
		t.Errorf("the hotel is told\n%s", notice.Text)
	}
	w.tell(event(hotel.BookingConfirmed))
	w.tell(event(hotel.BookingCancelled))
	cancelled := w.wait("ada@guest.test", 2)[1]
	if !strings.Contains(cancelled.Subject, "cancelled") || !strings.Contains(cancelled.Text, "goes back to your card") {
		t.Errorf("%s\n%s", cancelled.Subject, cancelled.Text)
	}
	if got := w.wait(desk, 2)[1]; !strings.HasPrefix(got.Subject, "Cancelled: r-1") {
		t.Errorf("the hotel is told %q", got.Subject)
	}
	w.wait("ada@guest.test", 2)
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestAConfirmationWaitsForItsReceiptAndTheHotelDoesNot(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.neighbours["reporting"].set(func(n *neighbour) { n.away = true })
	w.tell(event(hotel.BookingConfirmed))
	w.wait(desk, 1)
	if got := w.mails("ada@guest.test"); len(got) != 0 {
		t.Fatalf("mailed without the receipt: %+v", got)
	}
	w.stop()
	w.start() // whoever runs then goes on
	w.neighbours["reporting"].set(func(n *neighbour) { n.away = false })
	w.receipt()
	if m := w.wait("ada@guest.test", 1)[0]; w.page("/messages/"+itoa(m.ID)+"/attachments/1") != pdf {
		t.Error("the receipt is not there")
	}
	w.wait(desk, 1)
}

func TestNobodyWaitsForAReceiptForEver(t *testing.T) {
	for name, c := range map[string]struct {
		away  bool
		early time.Duration // still waiting
		then  time.Duration
	}{
		"who arrives goes without, whatever reporting does":     {true, 48 * time.Hour, 30 * 24 * time.Hour},
		"a receipt that there is none of is waited for one day": {false, 12 * time.Hour, 25 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.profile("g-7")
			w.neighbours["reporting"].set(func(n *neighbour) { n.away = c.away })
			w.tell(event(hotel.BookingConfirmed))
			w.wait(desk, 1)
			w.ahead.Store(int64(c.early / time.Second))
			w.until("it is tried", func() bool { return strings.Count(w.log.String(), "could not be delivered") >= 2 })
			if got := w.mails("ada@guest.test"); len(got) != 0 {
				t.Fatalf("mailed early: %+v", got)
			}
			w.ahead.Store(int64(c.then / time.Second))
			if m := w.wait("ada@guest.test", 1)[0]; !strings.Contains(m.Text, "The receipt is not ready yet") {
				t.Error(m.Text)
			}
		})
	}
}

func TestAMailWaitsForTheMailServer(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	w.smtp.shut.Store(true)
	w.tell(event(hotel.BookingConfirmed))
	w.until("it is tried", func() bool { return w.smtp.knocked.Load() >= 3 })
	w.smtp.shut.Store(false)
	w.wait("ada@guest.test", 1)
	w.wait(desk, 1)
	if strings.Contains(w.log.String(), "ada@guest.test") || strings.Contains(w.log.String(), "Lovelace") {
		t.Errorf("the log names the guest: %s", w.log)
	}
}

func TestAMailServerThatSaysNothingDoesNotKeepTheProcessFromItsEnd(t *testing.T) {
	w := newWorld(t)
	w.smtp.deaf.Store(true)
	w.tell(event(hotel.BookingConfirmed))
	w.until("it is tried", func() bool { return w.smtp.knocked.Load() > 0 })
	start := time.Now()
	w.stop()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	w.smtp.deaf.Store(false)
	w.start()
	w.wait(desk, 1)
}

func TestAMailWaitsForTheGuestsAddress(t *testing.T) {
	w := newWorld(t)
	w.receipt()
	w.tell(event(hotel.BookingConfirmed))
	w.tell(event(hotel.BookingConfirmed, func(e *hotel.Event) { e.ID, e.Reservation.ID, e.Reservation.Guest = "other", "r-2", "g-9" }))
	w.wait(desk, 2)
	w.profile("g-7")
	w.wait("ada@guest.test", 1)
	w.profile("g-7")
	w.tell(event(hotel.BookingConfirmed))
	w.tell(event(hotel.BookingCancelled))
	if got := w.wait("ada@guest.test", 2); !strings.Contains(got[1].Subject, "cancelled") {
		t.Errorf("%+v", got)
	}
}

func TestAConfirmationThatComesAfterTheCancellationIsNotMailed(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	w.tell(event(hotel.BookingCancelled))
	w.wait("ada@guest.test", 1)
	w.tell(event(hotel.BookingConfirmed)) // its receipt was late
	w.tell(event(hotel.BookingCancelled, func(e *hotel.Event) { e.ID, e.Reservation.ID = "next", "r-9" }))
	for _, m := range append(w.wait("ada@guest.test", 2), w.wait(desk, 2)...) {
		if strings.Contains(m.Subject, "confirmed") || strings.Contains(m.Subject, "Booked") {
			t.Errorf("told after the cancellation: %s", m.Subject)
		}
	}
}

func TestACancellationOvertakesAConfirmationThatCannotGo(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.tell(event(hotel.BookingConfirmed)) // there is no receipt
	w.tell(event(hotel.BookingCancelled))
	w.wait(desk, 2)
	w.ahead.Store(120)
	if m := w.wait("ada@guest.test", 1)[0]; !strings.Contains(m.Subject, "cancelled") {
		t.Error(m.Subject)
	}
	w.receipt()
	w.ahead.Store(600)
	w.tell(event(hotel.BookingCancelled, func(e *hotel.Event) { e.ID, e.Reservation.ID = "next", "r-9" }))
	w.wait("ada@guest.test", 2)
}

func TestHotelsAreWrittenToWhereTheyRead(t *testing.T) {
	w := newWorld(t)
	w.tell(event(hotel.BookingConfirmed, func(e *hotel.Event) { e.ID, e.Reservation.Hotel = "a", "h-2" }))
	w.tell(event(hotel.BookingConfirmed, func(e *hotel.Event) { e.ID, e.Reservation.ID, e.Reservation.Hotel = "b", "r-2", "aurora.h-3" }))
	w.wait("desk@inn.test", 1)
	w.wait("bookings@aurora.h-3.hotel.test", 1)
}

// What somebody typed may try to be a header, another line or markup.
func TestWhatAGuestTypesStaysText(t *testing.T) {
	w := newWorld(t)
	w.profile("g-7")
	w.receipt()
	w.tell(event(hotel.BookingConfirmed, func(e *hotel.Event) {
		e.Reservation.Note = "<script>alert(1)</script>\r\nBcc: spy@else.test\r\n\r\nTotal: 0.00 EUR\u202e" + strings.Repeat("x", 500)
		e.Reservation.Name = "Eve\r\nSubject: free"
		e.Reservation.HotelName = "Inn\r\nBcc: spy@else.test\u0000" + strings.Repeat("y", 300)
	}))
	notice := w.wait(desk, 1)[0]
	m := w.wait("ada@guest.test", 1)[0]
	if strings.Contains(notice.HTML, "<script") || strings.ContainsAny(notice.Text, "\u202e\x00") {
		t.Error("the notice holds markup or what turns text around")
	}
	if regexp.MustCompile(`(?m)^\s*(Bcc:|Subject: free)`).MatchString(notice.Text) || strings.Count(notice.Text, "\n  Total:") != 1 {
		t.Errorf("the note makes lines of its own:\n%s", notice.Text)
	}
	if len(w.mails("spy@else.test")) != 0 || len(m.Subject) > 300 {
		t.Errorf("somebody else is written to, or the subject is endless: %q", m.Subject)
	}
}

// Between the mail server's yes and our noting it there is a moment in which a
// kill has the mail sent again: the copy of the database is what was on the disk
// then. Readers can tell, because both have one Message-ID.
func TestAMailThatIsSentTwiceHasOneMessageID(t *testing.T) {
	w := newWorld(t)
	w.smtp.shut.Store(true)
	w.tell(event(hotel.BookingConfirmed))
	w.stop()
	copied := t.TempDir() + "/users.db"
	for _, end := range []string{"", "-wal"} {
		raw, err := os.ReadFile(w.database() + end)
		if err != nil {
			if end != "" {
				continue
			}
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+end, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.smtp.shut.Store(false)
	w.start()
	w.wait(desk, 1)
	w.stop()
	again := w.open(copied)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); again.Run(ctx) }()
	w.until("it is sent again", func() bool { return len(w.mails(desk)) == 2 })
	cancel()
	<-ended
	_ = again.Close()
	ids := regexp.MustCompile(`(?s)Message-I[dD]</dt><dd>([^<]+)<`)
	var seen []string
	for _, m := range w.mails(desk) {
		found := ids.FindStringSubmatch(w.page("/messages/" + itoa(m.ID)))
		if found == nil {
			t.Fatal("no Message-ID is shown")
		}
		seen = append(seen, found[1])
	}
	if seen[0] != seen[1] {
		t.Errorf("the Message-IDs are %q", seen)
	}
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{
		"nothing":           `{}`,
		"an unknown kind":   `{"id":"a","kind":"booking_moved","at":"2027-01-01T00:00:00Z","reservation":{"id":"r-1","hotel":"h-1","guest":"g-7","from":"2027-01-10","to":"2027-01-12"}}`,
		"a hotel elsewhere": `{"id":"a","kind":"booking_confirmed","at":"2027-01-01T00:00:00Z","reservation":{"id":"r-1","hotel":"h-1@evil.test,","guest":"g-7","from":"2027-01-10","to":"2027-01-12"}}`,
		"a receipt with ..": `{"id":"a","kind":"booking_confirmed","at":"2027-01-01T00:00:00Z","reservation":{"id":"r-1","hotel":"h-1","guest":"g-7","from":"2027-01-10","to":"2027-01-12","receipt":"../x"}}`,
		"no stay":           `{"id":"a","kind":"booking_confirmed","at":"2027-01-01T00:00:00Z","reservation":{"id":"r-1","hotel":"h-1","guest":"g-7","from":"2027-01-12","to":"2027-01-12"}}`,
		"nobody's":          `{"id":"a","kind":"booking_confirmed","at":"2027-01-01T00:00:00Z","reservation":{"id":"r-1","hotel":"h-1","guest":"","from":"2027-01-10","to":"2027-01-12"}}`,
	} {
		if a := w.as("reservations", "POST", "/v1/events", body); a.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
		}
	}
}
