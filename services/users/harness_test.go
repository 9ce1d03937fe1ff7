package users_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/certs"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/mail"
	"portcullis/services/problem"
	"portcullis/services/sandbox"
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

// neighbour is another service of the hotel, or the token service.
type neighbour struct {
	*httptest.Server
	mu sync.Mutex
	// held is what it holds of guests, as JSON.
	held      map[string]string
	documents map[string]string
	away      bool
	erased    []string
	// then runs when a guest was forgotten, before that is answered.
	then func()
}

func (n *neighbour) set(change func(*neighbour)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// times is how often it was asked to forget a guest.
func (n *neighbour) times(guest string) (times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, g := range n.erased {
		if g == guest {
			times++
		}
	}
	return times
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

// neighbour starts one.
func (w *world) neighbour(name string) {
	n := &neighbour{held: map[string]string{}, documents: map[string]string{}}
	scopes := []string{hotel.ScopeGuestExport, hotel.ScopeGuestErase, hotel.ScopeDocumentsRead}
	pattern, erase := hotel.PathGuestData, hotel.ScopeGuestErase
	if name == "authserver" {
		scopes, pattern, erase = []string{token.EraseScope}, "/accounts/{guest}", token.EraseScope
	}
	w.issuer.Client("users", "secret", name, 0, scopes...)
	only := w.only(n, name)
	router := chi.NewRouter()
	router.With(only(hotel.ScopeGuestExport, hotel.ScopeGuestErase)).Get(hotel.PathGuestData, func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		data, ok := n.held[named(r)]
		if !ok {
			data = "{}"
			if name == "reservations" {
				data = `{"reservations":[]}`
			}
		}
		_ = wire.Answer(rw, http.StatusOK, json.RawMessage(data))
	})
	router.With(only(erase, hotel.ScopeGuestExport)).Delete(pattern, func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		delete(n.held, named(r))
		n.erased = append(n.erased, named(r))
		then := n.then
		n.mu.Unlock()
		if then != nil {
			then()
		}
		rw.WriteHeader(http.StatusNoContent)
	})
	router.With(only(hotel.ScopeDocumentsRead, hotel.ScopeGuestErase)).Get(hotel.PathDocument, func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		pdf, ok := n.documents[chi.URLParam(r, "document")]
		if !ok {
			problem.Write(rw, r, problem.New(problem.NotFound, ""), "")
			return
		}
		rw.Header().Set("Content-Type", "application/pdf")
		_, _ = io.WriteString(rw, pdf)
	})
	n.Server = httptest.NewTLSServer(router)
	w.t.Cleanup(n.Close)
	w.neighbours[name] = n
}

// only is middleware for who comes as users itself with one scope and, of two,
// without the other: who reads for an export must not be able to erase.
func (w *world) only(n *neighbour, name string) func(scope, not string) func(http.Handler) http.Handler {
	guard := wiretest.Guard(w.t, w.issuer, name)
	return func(scope, not string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return guard.Require(scope)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if p, _ := token.FromContext(r.Context()); p.Has(not) || p.Subject != "users" {
					w.t.Errorf("%s is asked by %q with %q", name, p.Subject, p.Scopes)
				}
				n.mu.Lock()
				away := n.away
				n.mu.Unlock()
				if away {
					problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "1"), "")
					return
				}
				next.ServeHTTP(rw, r)
			}))
		}
	}
}

// named is the guest of a path.
func named(r *http.Request) string {
	guest := chi.URLParam(r, "guest")
	if text, err := url.PathUnescape(guest); err == nil && r.URL.RawPath != "" {
		return text
	}
	return guest
}

// peer is the service's client of a neighbour, with one scope.
func (w *world) peer(name, scope string) *peer.Client {
	w.t.Helper()
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "users", Audience: name, Scopes: []string{scope},
		Secret: func() (string, error) { return "secret", nil }, HTTP: w.issuer.HTTP(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := peer.New(peer.Config{
		Name: name, URL: w.neighbours[name].URL, Credential: source, Log: slog.New(slog.DiscardHandler), RequestID: chassis.RequestID,
		Timeout: time.Minute, Connect: time.Minute,
		TLS: w.neighbours[name].Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// mailServer starts the sandbox, which takes mail through a gate.
func (w *world) mailServer() {
	w.t.Helper()
	authority, err := certs.Dev(w.t.TempDir(), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := certs.NewServer(certs.ServerConfig{Files: files})
	if err != nil {
		w.t.Fatal(err)
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: files.CA}})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := sandbox.New(sandbox.Config{TLS: server.Server("smtp")})
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.smtp = &gate{Listener: l}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(ctx, w.smtp) }()
	w.inbox = httptest.NewServer(s.Handler())
	w.t.Cleanup(func() { w.inbox.Close(); cancel(); <-ended })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.mail, err = mail.New(mail.Config{Addr: "localhost:" + port, From: "bookings@hotel.test", Hello: "users.hotel.test", TLS: trust.Client()})
	if err != nil {
		w.t.Fatal(err)
	}
}

// gate hangs up on whoever comes while it is shut, or lets them wait for ever.
type gate struct {
	net.Listener
	shut, deaf atomic.Bool
	knocked    atomic.Int64
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || !g.shut.Load() && !g.deaf.Load() {
			return conn, err
		}
		g.knocked.Add(1)
		if g.shut.Load() {
			_ = conn.Close()
		}
	}
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

// message is a mail as the sandbox shows it.
type message struct {
	ID                        int
	From, Subject, Text, HTML string
}

// mails are those to an address, oldest first.
func (w *world) mails(to string) []message {
	w.t.Helper()
	var list struct{ Messages []message }
	if err := json.Unmarshal([]byte(w.page("/api/messages?to="+url.QueryEscape(to))), &list); err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list.Messages)
	return list.Messages
}

// wait waits until so many mails to an address are there, and no more.
func (w *world) wait(to string, want int) []message {
	w.t.Helper()
	w.until(fmt.Sprintf("%d mails to %s", want, to), func() bool { return len(w.mails(to)) >= want })
	got := w.mails(to)
	if len(got) != want {
		w.t.Fatalf("%d mails to %s, want %d: %+v", len(got), to, want, got)
	}
	return got
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
