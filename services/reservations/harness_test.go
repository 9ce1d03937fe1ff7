package reservations_test

import (
	"crypto/tls"
	"fmt"
	stdlog "log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/problem"
	"portcullis/services/reservations"
)

// world is the service reservations with an issuer and a neighbour that plays
// search: it wants reservations' own token and knows two hotels, h-1 with one
// room for two and h-2 with three rooms for four.
type world struct {
	t       *testing.T
	issuer  *tokentest.Issuer
	service *reservations.Service
	url     string
	client  *http.Client
	plain   *http.Client // whose answers are not held to the contract
	search  *httptest.Server
	// answers replaces what search says; nil describes the hotels.
	answers atomic.Pointer[http.HandlerFunc]
	// now is the service's clock, in seconds of Unix time.
	now atomic.Int64
	// path is the database, which outlives the service.
	path    string
	outside *outside
	logged  wiretest.Log
	change  []func(*reservations.Config)
	handler atomic.Pointer[http.Handler]
}

func newWorld(t *testing.T, change ...func(*reservations.Config)) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t), path: filepath.Join(t.TempDir(), "reservations.db"), change: change}
	w.now.Store(time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC).Unix())
	router := chi.NewRouter()
	router.With(wiretest.Guard(w.t, w.issuer, "search").Require(hotel.ScopeSearchRead)).Get(hotel.PathHotel, w.describe)
	w.search = httptest.NewUnstartedServer(router)
	w.search.EnableHTTP2 = true
	w.search.StartTLS()
	t.Cleanup(w.search.Close)
	w.outside = newOutside(w)
	w.open()

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		(*w.handler.Load()).ServeHTTP(rw, r)
	}))
	server.Config.ErrorLog = w.quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	agreed, err := contract.Parse(reservations.Contract())
	if err != nil {
		t.Fatal(err)
	}
	w.url = server.URL
	w.plain = server.Client()
	w.client = &http.Client{Transport: agreed.Transport(t, server.Client().Transport)}
	return w
}

func (w *world) quiet() *stdlog.Logger { return stdlog.New(&w.logged, "", 0) }

// open starts a service on the database, as a process that is started again
// does.
func (w *world) open() {
	w.t.Helper()
	log := slog.New(slog.NewJSONHandler(&w.logged, nil))
	c := reservations.Config{
		Path:      w.path,
		Search:    w.neighbour("search", w.search, log, hotel.ScopeSearchRead),
		Payments:  w.neighbour("payments", w.outside.server["payments"], log, hotel.ScopeChargesSettle, hotel.ScopeChargesWrite),
		Reporting: w.neighbour("reporting", w.outside.server["reporting"], log, hotel.ScopeDocumentsWrite),
		Users:     w.neighbour("users", w.outside.server["users"], log, hotel.ScopeEventsWrite),
		Guard:     wiretest.Guard(w.t, w.issuer, "reservations"),
		Log:       log,
		Patience:  time.Minute,
		Now:       func() time.Time { return time.Unix(w.now.Load(), 0) },
	}
	aurora, err := peer.NewOutside(peer.OutsideConfig{Name: "aurora", URL: w.outside.server["aurora"].URL, TLS: trust(w.outside.server["aurora"]), Log: log, Timeout: time.Minute, Connect: time.Minute})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(aurora.Close)
	c.Partners = map[string]*peer.Outside{"aurora": aurora}
	for _, f := range w.change {
		f(&c)
	}
	service, err := reservations.New(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = service.Close() })
	w.service = service
	handler := chassis.RequestLog(log, &w.logged)(service.Handler())
	w.handler.Store(&handler)
}

func trust(server *httptest.Server) *tls.Config {
	return server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

// neighbour is a client of one; own is the scope of reservations' own token,
// granted what it may be given in exchange for a guest's besides.
func (w *world) neighbour(name string, server *httptest.Server, log *slog.Logger, own string, more ...string) *peer.Client {
	w.t.Helper()
	w.issuer.Client("reservations", "secret", name, 0, append(more, own)...)
	secret := func() (string, error) { return "secret", nil }
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "reservations", Audience: name, Scopes: []string{own}, Secret: secret, HTTP: w.issuer.HTTP(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	exchange, err := token.NewExchanger(token.ExchangerConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "reservations", Audience: name, Secret: secret, HTTP: w.issuer.HTTP(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := peer.New(peer.Config{
		Name: name, URL: server.URL, Credential: source, Exchange: exchange, Log: log, RequestID: chassis.RequestID,
		Timeout: time.Minute, Connect: time.Minute, // a hundred guests at once share two cores with the race detector
		TLS: trust(server),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// describe plays search.
func (w *world) describe(rw http.ResponseWriter, r *http.Request) {
	if told := w.answers.Load(); told != nil {
		(*told)(rw, r)
		return
	}
	h := hotel.Hotel{ID: chi.URLParam(r, "hotel"), Name: "The Example", City: "Helsinki", Price: hotel.Money{Amount: 10000, Currency: "EUR"}}
	switch h.ID {
	case "h-1":
		h.Rooms, h.Sleeps = 1, 2
	case "h-2":
		h.Rooms, h.Sleeps = 3, 4
	case "aurora.h-3", "baltic.h-1":
		h.Rooms, h.Sleeps = 1, 2
		h.Partner, _, _ = strings.Cut(h.ID, ".")
	default:
		problem.Write(rw, r, problem.New(problem.NotFound, ""), "")
		return
	}
	_ = wire.Answer(rw, http.StatusOK, h)
}

// every is all scopes that a caller can have here.
const every = hotel.ScopeReservationsRead + " " + hotel.ScopeReservationsWrite + " " + hotel.ScopeAvailabilityRead +
	" " + hotel.ScopeChargesWrite + " " + hotel.ScopeGuestExport + " " + hotel.ScopeGuestErase

// as sends a request with a good token whose subject is the guest.
func (w *world) as(guest, method, path, body string) wiretest.Answer {
	w.t.Helper()
	return w.with(w.bearer(guest), method, path, body)
}

// insists books with one key until there is an answer: a hundred guests at once
// keep a busy machine waiting for longer than the service waits for others.
func (w *world) insists(guest, body string) wiretest.Answer {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		a := w.keyed(guest, w.bearer(guest), http.MethodPost, "/v1/reservations", body)
		if a.StatusCode != http.StatusServiceUnavailable || time.Now().After(end) {
			return a
		}
	}
}

func (w *world) with(bearer, method, path, body string) wiretest.Answer {
	w.t.Helper()
	return w.keyed("", bearer, method, path, body)
}

// bearer is a good token of the guest's.
func (w *world) bearer(guest string) string {
	return w.issuer.Mint(map[string]any{"aud": "reservations", "sub": guest, "scope": every})
}

// keyed sends a request with an Idempotency-Key, if there is one.
func (w *world) keyed(key, bearer, method, path, body string) wiretest.Answer {
	w.t.Helper()
	return wiretest.Ask(w.t, w.client, bearer, method, w.url+path, body, "Idempotency-Key", key)
}

// book books and returns the reservation; it must succeed.
func (w *world) book(guest, body string) hotel.Reservation {
	w.t.Helper()
	a := w.as(guest, http.MethodPost, "/v1/reservations", body)
	if a.StatusCode != http.StatusCreated {
		w.t.Fatalf("booking answered %d: %s", a.StatusCode, a.Body)
	}
	var booked hotel.Reservation
	a.Into(w.t, &booked)
	return booked
}

// paying is a request to book by card.
func paying(hotel, card string) string {
	return fmt.Sprintf(`{"hotel":%q,"from":"2027-01-10","to":"2027-01-12","guests":2,"note":"a note of the guest","name":"Zoë Guest","email":"zoe@canary.test","card":%s}`,
		hotel, fmt.Sprintf(cardWith, card))
}

// finish has the service do all that is left, as time goes by.
func (w *world) finish() {
	w.t.Helper()
	for range 20 {
		if err := w.service.Step(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		held, waiting, dead, err := w.service.Left(w.t.Context())
		if err != nil || dead != 0 {
			w.t.Fatalf("%d messages were given up, error %v", dead, err)
		}
		if held+waiting == 0 {
			return
		}
		w.now.Add(31)
	}
	w.t.Fatal("it does not come to an end")
}

// all are the guest's reservations.
func (w *world) all(guest string) []hotel.Reservation {
	w.t.Helper()
	var page hotel.Reservations
	w.as(guest, http.MethodGet, "/v1/guests/"+guest+"/reservations", "").Into(w.t, &page)
	return page.Reservations
}

// free is how many rooms of a hotel are free.
func (w *world) free(id string, rooms int) int {
	w.t.Helper()
	var free hotel.Availability
	w.as("search", http.MethodPost, "/v1/availability", fmt.Sprintf(`{"hotels":[{"hotel":%q,"rooms":%d}],"from":"2027-01-10","to":"2027-01-12"}`, id, rooms)).Into(w.t, &free)
	return free.Hotels[0].Free
}

// whole fails when a reservation is half made: charged or a room taken, and not
// confirmed, or the other way round.
func (w *world) whole(guest string) []hotel.Reservation {
	w.t.Helper()
	all := w.all(guest)
	o := w.outside
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range all {
		stands := r.State == hotel.Confirmed
		if !stands && r.State != hotel.Released && r.State != hotel.Cancelled {
			w.t.Errorf("%s is %s at the end", r.ID, r.State)
		}
		paid := o.taken[r.ID] - o.given[r.ID]
		if wants := stands && r.Payment.Method == hotel.ByCard; (paid == 1) != wants || paid < 0 || paid > 1 || o.taken[r.ID] > 1 {
			w.t.Errorf("%s is %s, money was taken %d times and given back %d times", r.ID, r.State, o.taken[r.ID], o.given[r.ID])
		}
		if r.Partner != "" && o.rooms[r.ID] != stands {
			w.t.Errorf("%s is %s, and booked at the partner: %v", r.ID, r.State, o.rooms[r.ID])
		}
		if _, receipt := o.documents["receipt-"+r.ID]; receipt == (r.State == hotel.Released) || (r.Receipt != "") != receipt {
			w.t.Errorf("%s is %s, there is a receipt: %v, it knows of %q", r.ID, r.State, receipt, r.Receipt)
		}
		if told, is := o.events[r.ID+"-booking_confirmed"]; (stands && !is) || (is && (r.State == hotel.Released || told.Reservation.Receipt == "")) {
			w.t.Errorf("%s is %s, that it is confirmed was told: %v", r.ID, r.State, is)
		}
		if _, is := o.events[r.ID+"-booking_cancelled"]; is != (r.State == hotel.Cancelled) {
			w.t.Errorf("%s is %s, that it is cancelled was told: %v", r.ID, r.State, is)
		}
	}
	for id, n := range o.taken {
		if !slices.ContainsFunc(all, func(r hotel.Reservation) bool { return r.ID == id }) {
			w.t.Errorf("money was taken %d times for %s, which nobody knows", n, id)
		}
	}
	return all
}

// undriven waits until nothing is held that somebody drives.
func (w *world) undriven() {
	w.t.Helper()
	for range 6000 { // half a minute: a hundred guests pay on a busy machine
		if held, _, _, err := w.service.Left(w.t.Context()); err != nil || held == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatal("a booking does not end")
}
