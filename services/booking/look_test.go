package booking_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"portcullis/services/hotel"
	"portcullis/services/problem"
)

// eyes are a person at Chromium who looks at the pages on a small phone and at a
// large desk, by day and by night.
type eyes struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	complain []string
}

func newEyes(t *testing.T) *eyes {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("there is no Chromium here: deploy/prepare.sh installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, // as root there is no sandbox to be had
		chromedp.Flag("ignore-certificate-errors", true), // the servers have the standard library's test certificate
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"),
	)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	e := &eyes{t: t, ctx: ctx}
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits for its end, or its profile could not be removed
	// The first call starts the browser, which ends with that call's context.
	err := chromedp.Listen(ctx, func(event any) {
		entry, ok := event.(*log.EventEntryAdded)
		// A status is not a mistake of the page's.
		if !ok || strings.Contains(entry.Entry.Text, "the server responded with a status of") {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.complain = append(e.complain, entry.Entry.Text+" "+entry.Entry.URL)
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func see[T any](e *eyes, action chromedp.Action[T]) T {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, 2*time.Minute)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		e.t.Fatal(err)
	}
	return got
}

// look judges a page in all four ways, and keeps pictures of it for people in
// the folder PORTCULLIS_SCREENSHOTS if that is set.
func (e *eyes) look(name, url string) {
	e.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if _, err := chromedp.Call(e.ctx, emulation.SetEmulatedMedia, media); err != nil {
			e.t.Fatal(err)
		}
		for _, width := range []int{320, 1920} {
			see(e, chromedp.EmulateViewport(int64(width), map[int]int64{320: 640, 1920: 1080}[width]))
			if url != "" {
				see(e, chromedp.Navigate(url))
			}
			if got := see(e, chromedp.Evaluate[int]("document.documentElement.scrollWidth")); got > width {
				e.t.Errorf("%s is %d wide in a window of %d: %s", name, got, width, see(e, chromedp.Evaluate[string](fmt.Sprintf(
					"[...document.querySelectorAll('main *')].filter(x => x.getBoundingClientRect().right > %d).map(x => x.tagName + '.' + x.className).join(' ')", width))))
			}
			if see(e, chromedp.Evaluate[string]("document.querySelector('h1')?.innerText ?? ''")) == "" {
				e.t.Errorf("%s has no heading", name)
			}
			e.picture(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
		e.accessible(name + ", " + scheme)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range e.complain {
		e.t.Errorf("%s: the browser says %s", name, text)
	}
	e.complain = nil
}

func (e *eyes) picture(name string) {
	dir := os.Getenv("PORTCULLIS_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), see(e, chromedp.FullScreenshot(100)), 0o600); err != nil {
		e.t.Error(err)
	}
}

// accessible asks axe-core (the file AXE), if it is there, for what is serious
// (WCAG 2.2, level AA). deploy/e2e always asks it, on the whole system.
func (e *eyes) accessible(name string) {
	file := os.Getenv("AXE")
	if file == "" {
		return
	}
	axe, err := os.ReadFile(file) //nolint:gosec // the developer's own
	if err != nil {
		e.t.Fatal(err)
	}
	see(e, chromedp.Evaluate[chromedp.Void](string(axe)))
	found := see(e, chromedp.Evaluate[[]string](`axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(f =>
		f.violations.flatMap(v => v.nodes.map(n => v.impact + ' ' + v.id + ': ' + v.help + ': ' + n.html)))`, chromedp.EvalAwaitPromise))
	for _, text := range found {
		e.t.Errorf("%s: %s", name, text)
	}
}

// until waits for the browser, which for a moment between two pages cannot say.
func (e *eyes) until(condition string) {
	e.t.Helper()
	for range 300 {
		ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
		done, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition))
		cancel()
		if err == nil && done {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	e.t.Fatalf("it never comes to %s", condition)
}

// trips are bookings of every kind, and payments.
func trips(w *world) {
	s := weekend()
	now := time.Now().UTC().Truncate(time.Minute)
	r := func(id, at string, from int, state hotel.State, p *hotel.Payment) hotel.Reservation {
		h := w.hotel.hotels[0]
		for _, one := range w.hotel.hotels {
			if one.ID == at {
				h = one
			}
		}
		return hotel.Reservation{
			ID: id, Hotel: at, Guest: guest, Stay: hotel.Stay{From: s.From + hotel.Date(from), To: s.To + hotel.Date(from)}, Guests: 2,
			Note: "We arrive late, with two cellos.\nA quiet room would be lovely.", State: state, Total: h.Price.Times(2), Created: now, HotelName: h.Name, City: h.City,
			Name: "Ada Lovelace", Payment: p, Receipt: "receipt-" + id,
		}
	}
	card := func(s hotel.ChargeStatus) *hotel.Payment {
		return &hotel.Payment{Method: hotel.ByCard, Status: s, Last4: "4242"}
	}
	gone := r("r-cancelled", "h-12", 3, hotel.Cancelled, card(hotel.ChargeRefunded))
	gone.Cancelled = &now
	declined := r("r-released", "h-3", 1, hotel.Released, &hotel.Payment{Method: hotel.ByCard, Status: hotel.ChargeDeclined, Declined: "The bank says: insufficient funds"})
	declined.Reason = hotel.ReasonDeclined
	missing := r("r-missing", "h-4", 2, hotel.Confirmed, card(hotel.ChargeApproved))
	missing.Receipt = ""
	w.hotel.set(func(h *house) {
		h.reservations = []hotel.Reservation{
			r("r-RFC4UQ7ZK2M9XN5T", "h-6", 0, hotel.Confirmed, card(hotel.ChargeApproved)), missing,
			r("r-held", "h-1", 9, hotel.Held, card(hotel.ChargePending)), gone, declined,
			r("r-past", "h-5", -90, hotel.Confirmed, &hotel.Payment{Method: hotel.AtHotel}),
		}
		h.charges = []hotel.Charge{
			{ID: "r-1", Guest: guest, Amount: euro(42000), Status: hotel.ChargeApproved, Last4: "4242", Created: now},
			{ID: "r-2", Guest: guest, Amount: hotel.Money{Amount: 278000, Currency: "SEK"}, Status: hotel.ChargeRefunded, Last4: "4242", Created: now.Add(-99 * time.Hour)},
		}
		h.profile = &hotel.Profile{Guest: guest, Name: "Ada Lovelace", Email: email, Phone: "+358 40 1234567"}
	})
}

func TestEveryPageFitsAPhoneAndADeskByDayAndByNight(t *testing.T) {
	w := newWorld(t)
	trips(w)
	w.hotel.set(func(h *house) { h.failing["baltic"] = true })
	e := newEyes(t)
	page := func(name, path string) {
		e.look(name, w.url+path)
	}
	page("home", "/")
	page("search", "/search?city=Helsinki&"+stayQuery())
	page("search-wrong", "/search?city=&from=2020-01-01&to=x&guests=99")
	page("search-none", "/search?city=Atlantis&"+stayQuery())
	page("hotel", "/hotels/h-6?"+stayQuery())
	page("hotel-partner", "/hotels/aurora.h-3?"+stayQuery())
	page("hotel-many", "/hotels/h-6?"+strings.Replace(stayQuery(), "guests=2", "guests=5", 1))
	page("error-401", "/bookings")
	page("error-404", "/nothing")
	page("verify", "/verify/receipt-r-1/good-code")
	page("verify-bad", "/verify/receipt-r-1/bad-code")
	page("signed-out", "/signed-out")

	see(e, chromedp.Navigate(w.url+"/signin?return=/bookings"))
	page("bookings", "/bookings")
	page("booking", "/bookings/r-RFC4UQ7ZK2M9XN5T?booked")
	page("booking-cancelled", "/bookings/r-cancelled?cancelled")
	page("pending", "/bookings/r-held")
	page("released", "/bookings/r-released")
	page("cancel", "/bookings/r-RFC4UQ7ZK2M9XN5T/cancel")
	page("receipt-pending", "/bookings/r-missing/receipt")
	page("profile", "/profile")
	page("remove", "/profile/remove")
	page("signed-in", "/signed-in")
	page("book", "/book/h-1?"+stayQuery())
	e.paper("booking-print", w.url+"/bookings/r-RFC4UQ7ZK2M9XN5T")

	press := func() {
		see(e, chromedp.Evaluate[chromedp.Void]("document.documentElement.id = 'old'; document.querySelector('form#booking .button').click()"))
		e.until("document.readyState == 'complete' && document.documentElement.id != 'old'")
	}
	see(e, chromedp.Navigate(w.url+"/book/h-1?"+stayQuery()))
	press()
	e.look("book-wrong", "")
	fill := func() {
		see(e, chromedp.Navigate(w.url+"/book/h-1?"+stayQuery()))
		see(e, chromedp.Evaluate[chromedp.Void](`for (const [n, v] of Object.entries({name: 'Ada Lovelace', note: 'a quiet room', card_number: '4242424242424242', card_expiry: '12/30', card_code: '123'}))
			document.getElementsByName(n)[0].value = v`))
		press()
	}
	answer := func(p error) {
		w.hotel.set(func(h *house) {
			h.book = func(http.ResponseWriter, *http.Request, hotel.Reservation, func(hotel.Reservation)) error { return p }
		})
	}
	answer(problem.New(problem.PaymentDeclined, "The bank declined the card: insufficient funds"))
	fill()
	e.look("book-declined", "")
	answer(problem.New(problem.Unavailable, "").With("Retry-After", "7"))
	fill()
	e.look("book-away", "")
	w.hotel.set(func(h *house) {
		h.book = func(rw http.ResponseWriter, _ *http.Request, _ hotel.Reservation, _ func(hotel.Reservation)) error {
			h.set(func(h *house) { h.full["h-1"] = true })
			return problem.New(problem.Conflict, "No room is free.")
		}
	})
	fill()
	e.look("book-full", "")
	page("hotel-full", "/hotels/h-1?"+stayQuery())

	w.hotel.set(func(h *house) {
		h.removal = &hotel.Removal{Guest: guest, Asked: time.Now(), Left: []string{"payments", "reporting"}}
	})
	page("removal", "/profile/removal")
	w.hotel.set(func(h *house) { at := time.Now(); h.removal.Completed, h.removal.Left = &at, nil })
	page("removed", "/profile/removal")
	w.hotel.set(func(h *house) { h.away["reservations"], h.away["payments"] = true, true })
	page("error-503", "/bookings")
	page("profile-no-payments", "/profile")
	w.hotel.set(func(h *house) { h.reservations, h.away["reservations"] = nil, false })
	page("bookings-none", "/bookings")
}

// paper keeps a picture of a page as it is printed.
func (e *eyes) paper(name, url string) {
	if _, err := chromedp.Call(e.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		e.t.Fatal(err)
	}
	see(e, chromedp.EmulateViewport(794, 1123))
	see(e, chromedp.Navigate(url))
	e.picture(name)
	if _, err := chromedp.Call(e.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: ""}); err != nil {
		e.t.Fatal(err)
	}
}
