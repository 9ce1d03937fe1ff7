package booking_test

import (
	"html"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/services/booking"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

func TestAGuestBooksPaysAndCancels(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	form := b.get("/book/h-1?"+stayQuery()).says(t, 200, "Katajanokka Pier Hotel", "€298")
	page := b.post("/book/h-1", form.filled(t, nil)).says(t, 200, "You are booked", "card ending in 4242", "a quiet room")
	if page.Request.URL.Path != "/bookings/r-001" {
		t.Errorf("the booking ends at %s", page.Request.URL)
	}
	made := w.hotel.asked("reservations", http.MethodPost)
	if len(made) != 1 || made[0].subject != guest || made[0].actor != "booking" || made[0].key != form.hidden(t, "key") {
		t.Errorf("reservations saw %+v", made)
	}
	asked := decode[hotel.ReservationRequest](t, made[0].body)
	if asked.Email != email || asked.Expect == nil || *asked.Expect != euro(29800) || asked.Card == nil || asked.Card.Number != "4242424242424242" || asked.Card.Expiry != "12/30" || asked.Name != "Ada Lovelace" {
		t.Errorf("reservations was asked for %+v", asked)
	}
	if p := w.hotel.profile; p == nil || p.Email != email || p.Name != "Ada Lovelace" { // or the confirmation has no address
		t.Errorf("the profile is %+v", p)
	}
	b.get("/bookings").says(t, 200, "Katajanokka Pier Hotel", "Confirmed")

	pdfPage := b.get("/bookings/r-001/receipt").says(t, 200)
	if pdfPage.body != pdf || pdfPage.Header.Get("Content-Type") != "application/pdf" || !strings.Contains(pdfPage.Header.Get("Content-Disposition"), "receipt-r-001.pdf") {
		t.Errorf("the receipt is %q with %v", pdfPage.body, pdfPage.Header)
	}
	b.get("/bookings/r-001/cancel").says(t, 200, "Cancel this booking?", "€298")
	b.post("/bookings/r-001/cancel", url.Values{"sure": {"yes"}}).says(t, 200, "Your booking is cancelled", "Given back to")
	b.post("/bookings/r-001/cancel", url.Values{"sure": {"yes"}}).says(t, 200, "Your booking is cancelled") // sent twice
	if n := len(w.hotel.asked("reservations", http.MethodDelete)); n != 1 {
		t.Errorf("it was cancelled %d times", n)
	}
}

func TestPayingAtTheHotelSendsNoCard(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	b.post("/book/h-1", form.filled(t, map[string]string{"pay": "hotel"})).says(t, 200, "You are booked", "At the hotel")
	if made := w.hotel.asked("reservations", http.MethodPost); len(made) != 1 || strings.Contains(made[0].body, "card") {
		t.Errorf("reservations saw %+v", made)
	}
}

func TestWhatWasTypedIsKeptAndMistakesStandBesideTheirFields(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	page := b.post("/book/h-1", form.filled(t, map[string]string{"name": "", "card_number": "4242 4242 4242 4243", "card_expiry": "13/30", "card_code": "1"})).
		says(t, 422, "a quiet room", "Who will arrive?", "A digit of this number is wrong", "Write month and year", "The 3 or 4 digits", `aria-describedby="f-name-wrong"`, `value="A Lovelace"`)
	if page.hidden(t, "key") != form.hidden(t, "key") {
		t.Error("a mistake makes it another booking")
	}
	if strings.Contains(page.body, "42424243") || strings.Contains(page.body, "4242 4243") || strings.Contains(page.body, "13/30") {
		t.Error("the card is sent back to the browser")
	}
	if n := len(w.hotel.asked("reservations", http.MethodPost)); n != 0 {
		t.Errorf("%d reservations were tried", n)
	}
}

func TestAPaymentThatFailsSaysSoAndCanBeTriedAgain(t *testing.T) {
	tests := map[string]struct {
		answer func(rw http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error
		status int
		says   []string
		// newKey: another try is another booking.
		newKey bool
	}{
		"declined": {
			answer: func(http.ResponseWriter, hotel.Reservation, func(hotel.Reservation)) error {
				return problem.New(problem.PaymentDeclined, "insufficient funds")
			},
			status: 402, says: []string{"Your card was declined", "Insufficient funds.", "Nothing was charged"}, newKey: true,
		},
		"the bank is away and the room was let go": {
			answer: func(_ http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error {
				made.State, made.Reason = hotel.Released, hotel.ReasonUnavailable
				store(made)
				return problem.New(problem.Unavailable, "").With("Retry-After", "9")
			},
			status: 503, says: []string{"The payment could not be made", "Your card was not charged"}, newKey: true,
		},
		"the partner could not be asked": {
			answer: func(_ http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error {
				made.State, made.Reason = hotel.Released, hotel.ReasonPartner
				store(made)
				return problem.New(problem.Unavailable, "").With("Retry-After", "9")
			},
			status: 503, says: []string{"The hotel did not confirm", "Your card was not charged"}, newKey: true,
		},
		"it took too long": {
			answer: func(_ http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error {
				made.State, made.Reason = hotel.Released, hotel.ReasonExpired
				store(made)
				return problem.New(problem.Unavailable, "").With("Retry-After", "9")
			},
			status: 503, says: []string{"The booking took too long", "Your card was not charged"}, newKey: true,
		},
		"nobody knows": {
			answer: func(http.ResponseWriter, hotel.Reservation, func(hotel.Reservation)) error {
				return problem.New(problem.Unavailable, "").With("Retry-After", "9")
			},
			status: 503, says: []string{"We could not finish your booking", "booked and charged once"},
		},
		"it was booked but the answer was lost": {
			answer: func(_ http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error {
				store(made)
				return problem.New(problem.Unavailable, "").With("Retry-After", "9")
			},
			status: 200, says: []string{"You are booked"},
		},
		"the bank takes its time": {
			answer: func(rw http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error {
				made.State = hotel.Held
				store(made)
				return wire.Answer(rw, http.StatusAccepted, made)
			},
			status: 202, says: []string{"We are confirming your booking", `<noscript><meta http-equiv="refresh"`},
		},
		"a sent form is answered with what became of it": {
			answer: func(rw http.ResponseWriter, made hotel.Reservation, store func(hotel.Reservation)) error {
				made.State, made.Reason = hotel.Released, hotel.ReasonUnavailable
				store(made)
				return wire.Answer(rw, http.StatusOK, made)
			},
			status: 503, says: []string{"The payment could not be made"}, newKey: true,
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hotel.book = func(rw http.ResponseWriter, _ *http.Request, made hotel.Reservation, store func(hotel.Reservation)) error {
				return c.answer(rw, made, store)
			}
			b := w.guest()
			form := b.get("/book/h-1?" + stayQuery())
			page := b.post("/book/h-1", form.filled(t, nil)).says(t, c.status, c.says...)
			if c.status == 402 || c.status == 503 {
				if got := page.hidden(t, "key") != form.hidden(t, "key"); got != c.newKey {
					t.Errorf("a new key: %v, want %v", got, c.newKey)
				}
				page.says(t, c.status, "a quiet room", `value="Ada Lovelace"`)
			}
			if c.status == 503 && page.Header.Get("Retry-After") == "" {
				t.Error("it does not say when to come back")
			}
			if text := page.body + w.log.String(); strings.Contains(text, "4242424242424242") || strings.Contains(text, "4242 4242") {
				t.Error("a page or the log holds the card")
			}
		})
	}
}

func TestAConflictShowsTheNewPriceOrThatTheLastRoomIsGone(t *testing.T) {
	w := newWorld(t)
	conflict := func(change func(h *house)) {
		w.hotel.book = func(http.ResponseWriter, *http.Request, hotel.Reservation, func(hotel.Reservation)) error {
			w.hotel.set(change)
			return problem.New(problem.Conflict, "")
		}
	}
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	conflict(func(h *house) { h.hotels[3].Price = euro(15900) })
	again := b.post("/book/h-1", form.filled(t, nil)).says(t, 409, "The price has changed", "€298", "€318")
	if again.hidden(t, "expect") != "31800 EUR" || again.hidden(t, "key") == form.hidden(t, "key") {
		t.Error("the form still agrees to the old price")
	}
	conflict(func(h *house) { h.full["h-1"] = true })
	b.post("/book/h-1", again.filled(t, nil)).says(t, 409, "The last room has just gone", "other hotels in Helsinki")
	b.get("/hotels/h-1?"+stayQuery()).says(t, 200, "No room is free on all of these nights")
}

func TestOwnHotelsComeAtOnceAndPartnersAsTheyAnswer(t *testing.T) {
	w := newWorld(t)
	aurora, baltic := make(chan struct{}), make(chan struct{})
	w.hotel.slow["aurora"], w.hotel.slow["baltic"] = aurora, baltic
	w.hotel.failing["baltic"] = true
	b := w.browser()
	resp, err := b.client.Get(w.url + "/search?city=helsinki&" + stayQuery())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	read := func(until string) (text string) {
		buffer := make([]byte, 4096)
		for !strings.Contains(text, until) {
			n, err := resp.Body.Read(buffer)
			text += string(buffer[:n])
			if err != nil {
				t.Fatalf("%v before %q: %s", err, until, text)
			}
		}
		return text
	}
	if own := read("Asking Aurora Hotels and Baltic Stays"); !strings.Contains(own, "Kallio Courtyard") || strings.Contains(own, "Aurora Senate") {
		t.Errorf("at first there is %s", own)
	}
	close(aurora)
	if first := read("Asking Baltic Stays"); !strings.Contains(first, "Aurora Senate Square") {
		t.Errorf("then there is %s", first)
	}
	close(baltic)
	if last := read("</html>"); !strings.Contains(last, "Baltic Stays did not answer in time") || !strings.Contains(last, "That is all: 8") {
		t.Errorf("in the end there is %s", last)
	}
	for _, c := range w.hotel.asked("search", http.MethodGet) {
		if c.subject != "booking" || c.actor != "" {
			t.Errorf("search saw a stranger's request as %+v", c)
		}
	}
}

// A partner's offer may still be the one of a moment ago when its last room has
// gone; to try again would be of no use.
func TestAPartnersLastRoomIsGoneWhateverItsOfferSays(t *testing.T) {
	w := newWorld(t)
	w.hotel.book = func(_ http.ResponseWriter, _ *http.Request, r hotel.Reservation, keep func(hotel.Reservation)) error {
		r.State, r.Reason = hotel.Released, hotel.ReasonFull
		keep(r)
		return problem.New(problem.Conflict, "")
	}
	b := w.guest()
	form := b.get("/book/aurora.h-3?" + stayQuery())
	b.post("/book/aurora.h-3", form.filled(t, nil)).says(t, 409, "The last room has just gone")
}

func TestTheDaysAreKeptFromTheSearchToTheForm(t *testing.T) {
	w := newWorld(t)
	query := strings.Replace(stayQuery(), "guests=2", "guests=1", 1)
	for page, link := range map[string]string{
		"/search?city=Helsinki&" + query: `href="/hotels/h-1?`, "/hotels/h-1?" + query: `href="/book/h-1?`, "/book/h-1?" + query: `href="/hotels/h-1?`,
	} {
		got := w.guest().get(page).says(t, 200, link)
		_, rest, _ := strings.Cut(got.body, link)
		there, _, _ := strings.Cut(rest, `"`)
		q, err := url.ParseQuery(html.UnescapeString(there))
		if want, _ := url.ParseQuery(query); err != nil || !reflect.DeepEqual(q, want) {
			t.Errorf("%s leads to %s", page, there)
		}
	}
}

func TestRoomsThatWereCountedEarlierAreSaidToBe(t *testing.T) {
	w := newWorld(t)
	at := time.Date(2027, 1, 1, 9, 41, 0, 0, time.UTC)
	w.hotel.asOf = &at
	w.browser().get("/search?city=Helsinki&"+stayQuery()).says(t, 200, "09:41 UTC", "fewer may be left")
}

func TestASearchThatMakesNoSenseIsSaidBesideItsFields(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get("/search?city=&from=2020-01-01&to=2020-01-03&guests=99").says(t, 422, "Which city", "This day has passed", "Choose 1 to 8 guests")
	b.get("/search?city=a&city=b").says(t, 400, "We could not read that")
	b.get("/hotels/h-1?from=x").says(t, 422, "Choose the day you arrive")
	b.get("/hotels/nowhere").says(t, 404, "We do not know this hotel")
	b.get("/hotels/h-6?"+strings.Replace(stayQuery(), "guests=2", "guests=3", 1)).says(t, 200, "A room here sleeps 2")
}

func TestErrorsBecomePagesThatTellTheGuestWhatToDo(t *testing.T) {
	w := newWorld(t)
	trips(w)
	stranger, b := w.browser(), w.guest()
	stranger.get("/bookings").says(t, 401, "Please sign in first", `href="/signin?return=%2fbookings"`)
	stranger.get("/nothing").says(t, 404, "There is nothing at this address")
	b.get("/bookings/r-unknown").says(t, 404, "We do not find this booking")
	b.get("/bookings/r-past/cancel").says(t, 409, "cannot be cancelled")
	b.get("/bookings/r-missing/receipt").says(t, 202, "Your receipt is on its way")
	w.hotel.set(func(h *house) { h.away["reservations"] = true })
	page := b.get("/bookings").says(t, 503, "We cannot reach this right now", "Please wait 7 seconds")
	if page.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After is %q", page.Header.Get("Retry-After"))
	}
	w.hotel.set(func(h *house) { h.away["search"] = true })
	stranger.get("/search?city=Helsinki&"+stayQuery()).says(t, 503, "We cannot reach this right now")
}

func TestTryingManyCardsIsStopped(t *testing.T) {
	w := newWorld(t)
	w.hotel.book = func(http.ResponseWriter, *http.Request, hotel.Reservation, func(hotel.Reservation)) error {
		return problem.New(problem.PaymentDeclined, "")
	}
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	for range 10 {
		b.post("/book/h-1", form.filled(t, nil)).says(t, 402)
	}
	page := b.post("/book/h-1", form.filled(t, nil)).says(t, 429, "One moment, please", "Please wait a minute")
	if page.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
}

func TestVerificationIsPublicAndTellsGenuineFromOther(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get("/verify/receipt-r-1/good-code").says(t, 200, "This document is genuine", "Katajanokka Pier Hotel", "€298", "9f86d081")
	b.get("/verify/receipt-r-1/bad-code").says(t, 404, "We cannot confirm this document")
	b.get("/verify/receipt-r-1/a%2fb").says(t, 404, "We cannot confirm this document")
}

func TestPicturesAreDistinctCacheableAndHarmless(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	one, other := b.get("/art/h-1.svg").says(t, 200), b.get("/art/h-2.svg").says(t, 200)
	if one.body == other.body || one.body != b.get("/art/h-1.svg").body {
		t.Error("pictures do not belong to their ids")
	}
	if one.Header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(one.Header.Get("Cache-Control"), "public") {
		t.Errorf("the picture has %v", one.Header)
	}
	for _, id := range []string{"h-1", "aurora.h-3", "hero", "city-lisbon-21"} {
		text := b.get("/art/"+id+".svg").says(t, 200).body
		if len(text) > 64<<10 || strings.Contains(text, "script") || strings.Contains(text, "href") || strings.Contains(text, "NaN") {
			t.Errorf("the picture of %s has %d bytes: %.200s", id, len(text), text)
		}
	}
	b.get("/art/..%2f..svg").says(t, 404)
	b.get("/art/h-1.png").says(t, 404)
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	for _, path := range []string{"/", "/bookings", "/profile", "/nothing", "/hotels/h-1", "/search?city=Helsinki"} {
		page := b.get(path)
		want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self' " + w.issuer.URL + "; frame-ancestors 'none'; base-uri 'none'"
		if got := page.Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s has the policy %q", path, got)
		}
		if page.Header.Get("Cache-Control") != "no-store" || page.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s has %v", path, page.Header)
		}
		for _, inline := range []string{" style=", "<style", "onclick", "onload", "javascript:", "http://"} {
			if strings.Contains(page.body, inline) {
				t.Errorf("%s holds %q", path, inline)
			}
		}
	}
}

func TestOnlyTheGatewayReachesThePages(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for name, bearer := range map[string]string{
		"nobody":                  "",
		"another's token":         w.gateway(map[string]any{"aud": "search"}),
		"a token without a scope": w.gateway(map[string]any{"scope": "search:read"}),
	} {
		for _, path := range []string{"/", "/art/h-1.svg", "/nothing", "/bookings", "/v1/guests/g-7/data"} {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.direct+path, nil)
			if bearer != "" {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			if page := b.send(r); path != "/nothing" && page.StatusCode != 401 && page.StatusCode != 403 || page.StatusCode < 400 {
				t.Errorf("%s gets %d for %s", name, page.StatusCode, path)
			}
		}
	}
	// And the gateway has no business with guests' data.
	b.get("/v1/guests/g-7/data").says(t, 403)
}

func TestTheContractIsWhatIsServed(t *testing.T) {
	w := newWorld(t)
	api := chi.NewRouter()
	err := chi.Walk(w.service.Handler().(chi.Routes), func(method, route string, h http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/v1/") {
			api.Method(method, route, h)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	contract.Serves(t, booking.Contract(), api)
}

func TestPricesHaveTheDecimalsOfTheirCurrency(t *testing.T) {
	w := newWorld(t)
	for currency, want := range map[string]string{"KWD": "KWD\u00a014.900", "RSD": "RSD\u00a0149", "JPY": "JPY\u00a014,900"} {
		w.hotel.set(func(h *house) {
			for i := range h.hotels {
				h.hotels[i].Price = hotel.Money{Amount: 14900, Currency: currency}
			}
		})
		w.browser().get("/hotels/h-1").says(t, 200, want)
	}
}
