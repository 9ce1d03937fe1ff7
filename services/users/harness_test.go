package users_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/wiretest"
	"portcullis/services/mail"
	"portcullis/services/users"
)

// patience bounds the wait for what happens by itself; reaching it is a failure.
const patience = 2 * time.Minute

// world is the service users with an issuer, a real mail server and neighbours
// that want the right token and hold what they are given.
type world struct {
	t          *testing.T
	issuer     *tokentest.Issuer
	dir        string
	neighbours map[string]*neighbour
	smtp       *gate
	mail       *mail.Sender
	inbox      *httptest.Server
	log        *wiretest.Log
	ahead      atomic.Int64 // seconds that the service's clock is ahead

	service *users.Service
	url     string
	client  *http.Client
	stop    func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t), dir: t.TempDir(), neighbours: map[string]*neighbour{}, log: &wiretest.Log{}}
	for _, name := range []string{"reservations", "payments", "reporting", "booking", "authserver"} {
		w.neighbour(name)
	}
	w.mailServer()
	w.start()
	return w
}

// open is the service on a database, as a process begins; it does nothing by
// itself.
func (w *world) open(database string) *users.Service {
	w.t.Helper()
	n := func(name string) users.Neighbour {
		return users.Neighbour{Export: w.peer(name, hotel.ScopeGuestExport), Erase: w.peer(name, hotel.ScopeGuestErase)}
	}
	s, err := users.New(w.t.Context(), users.Config{
		Path: database, Reservations: n("reservations"), Payments: n("payments"), Reporting: n("reporting"), Booking: n("booking"),
		Documents: w.peer("reporting", hotel.ScopeDocumentsRead), Accounts: w.peer("authserver", token.EraseScope),
		Mail: w.mail, Bookings: "https://localhost:8443/bookings", Desks: map[string]string{"h-2": "desk@inn.test"},
		Guard: wiretest.Guard(w.t, w.issuer, "users"), Log: slog.New(slog.NewJSONHandler(w.log, nil)),
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load()) * time.Second) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// start runs the service as a process does; the one before must have ended.
func (w *world) start() {
	w.t.Helper()
	w.serve(w.open(w.database()))
}

// serveOnly serves without mailing or removing.
func (w *world) serveOnly(service *users.Service) *httptest.Server {
	w.t.Helper()
	w.service = service
	server := httptest.NewTLSServer(chassis.RequestLog(slog.New(slog.DiscardHandler), w.log)(service.Handler()))
	agreed, err := contract.Parse(users.Contract())
	if err != nil {
		w.t.Fatal(err)
	}
	w.url = server.URL
	w.client = &http.Client{Transport: agreed.Transport(w.t, server.Client().Transport)}
	w.t.Cleanup(server.Close)
	return server
}

func (w *world) serve(service *users.Service) {
	w.t.Helper()
	server := w.serveOnly(service)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); service.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		<-ended
		server.Close()
		if err := service.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.stop = stop
	w.t.Cleanup(stop)
}

func (w *world) database() string { return filepath.Join(w.dir, "users.db") }

const every = hotel.ScopeProfileRead + " " + hotel.ScopeProfileWrite + " " + hotel.ScopeEventsWrite

// as sends a request with a good token whose subject is the guest.
func (w *world) as(guest, method, path, body string) wiretest.Answer {
	w.t.Helper()
	return w.with(w.issuer.Mint(map[string]any{"aud": "users", "sub": guest, "scope": every}), method, path, body)
}

func (w *world) with(bearer, method, path, body string) wiretest.Answer {
	w.t.Helper()
	return wiretest.Ask(w.t, w.client, bearer, method, w.url+path, body)
}

const ada = `{"name":"Ada Lovelace","email":"ada@guest.test","phone":"+358 40 1234567"}`

func (w *world) profile(guest string) {
	w.t.Helper()
	if a := w.as(guest, http.MethodPut, "/v1/guests/"+guest+"/profile", ada); a.StatusCode != http.StatusOK {
		w.t.Fatalf("the profile: %d %s", a.StatusCode, a.Body)
	}
}

// event is what reservations tells of a booking a month from now; change it.
func event(kind hotel.EventKind, change ...func(*hotel.Event)) hotel.Event {
	from := hotel.Today(time.Now()) + 30
	e := hotel.Event{ID: "r-1-" + string(kind), Kind: kind, At: time.Now().UTC(), Reservation: hotel.Reservation{
		ID: "r-1", Hotel: "h-1", Guest: "g-7", Stay: hotel.Stay{From: from, To: from + 2}, Guests: 2,
		Note: "a quiet room, please", State: hotel.Confirmed, Total: hotel.Money{Amount: 24600, Currency: "EUR"},
		HotelName: "Harbour & Light", City: "Helsinki", Name: "Ada Lovelace",
		Payment: &hotel.Payment{Method: hotel.ByCard, Status: hotel.ChargeApproved, Last4: "4242"},
	}}
	for _, f := range change {
		f(&e)
	}
	return e
}

func (w *world) tell(e hotel.Event) {
	w.t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	if a := w.as("reservations", http.MethodPost, "/v1/events", string(body)); a.StatusCode != http.StatusNoContent {
		w.t.Fatalf("the event: %d %s", a.StatusCode, a.Body)
	}
}

const pdf = "%PDF-1.7 the receipt"

// receipt lets reporting have the receipt of r-1.
func (w *world) receipt() {
	w.neighbours["reporting"].set(func(n *neighbour) { n.documents["receipt-r-1"] = pdf })
}

func (w *world) until(what string, happened func() bool) {
	w.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !happened(); <-again.C {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s\n%s", what, w.log)
		}
	}
}

// page is what the sandbox's inbox answers.
func (w *world) page(path string) string {
	w.t.Helper()
	resp, err := http.Get(w.inbox.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
	return string(body)
}

// left is how far a removal is.
func (w *world) left(guest string) hotel.Removal {
	w.t.Helper()
	var r hotel.Removal
	a := w.as(guest, http.MethodGet, "/v1/guests/"+guest+"/removal", "")
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("the removal: %d %s", a.StatusCode, a.Body)
	}
	a.Into(w.t, &r)
	return r
}
