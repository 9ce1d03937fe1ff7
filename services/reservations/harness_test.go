package reservations_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
	search  *httptest.Server
	// answers replaces what search says; nil describes the hotels.
	answers atomic.Pointer[http.HandlerFunc]
	// now is the service's clock, in seconds of Unix time.
	now atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t)}
	w.now.Store(time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC).Unix())
	log := slog.New(slog.DiscardHandler)
	w.issuer.Client("reservations", "secret", "search", 0, hotel.ScopeSearchRead)

	router := chi.NewRouter()
	router.With(w.guard("search").Require(hotel.ScopeSearchRead)).Get(hotel.PathHotel, w.describe)
	w.search = httptest.NewTLSServer(router)
	t.Cleanup(w.search.Close)
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "reservations", Audience: "search",
		Secret: func() (string, error) { return "secret", nil },
		HTTP:   w.issuer.HTTP(),
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := peer.New(peer.Config{
		Name: "search", URL: w.search.URL, Credential: source, Log: log, RequestID: chassis.RequestID,
		Timeout: 20 * time.Second, // a hundred guests at once share two cores with the race detector
		TLS:     w.search.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.service, err = reservations.New(t.Context(), reservations.Config{
		Path:   filepath.Join(t.TempDir(), "reservations.db"),
		Search: client,
		Guard:  w.guard("reservations"),
		Log:    log,
		Now:    func() time.Time { return time.Unix(w.now.Load(), 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.service.Close() })
	server := httptest.NewTLSServer(chassis.RequestLog(log, io.Discard)(w.service.Handler()))
	t.Cleanup(server.Close)

	agreed, err := contract.Parse(reservations.Contract())
	if err != nil {
		t.Fatal(err)
	}
	w.url = server.URL
	w.client = &http.Client{Transport: agreed.Transport(t, server.Client().Transport)}
	return w
}

func (w *world) guard(audience string) *token.Guard {
	w.t.Helper()
	g, err := token.NewGuard(token.GuardConfig{Verifier: w.issuer.VerifierFor(audience), Realm: audience})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// describe plays search.
func (w *world) describe(rw http.ResponseWriter, r *http.Request) {
	if told := w.answers.Load(); told != nil {
		(*told)(rw, r)
		return
	}
	h := hotel.Hotel{ID: chi.URLParam(r, "hotel"), Price: hotel.Money{Amount: 10000, Currency: "EUR"}}
	switch h.ID {
	case "h-1":
		h.Rooms, h.Sleeps = 1, 2
	case "h-2":
		h.Rooms, h.Sleeps = 3, 4
	default:
		problem.Write(rw, r, problem.New(problem.NotFound, ""), "")
		return
	}
	_ = wire.Answer(rw, http.StatusOK, h)
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// every is all scopes that a caller can have here.
const every = hotel.ScopeReservationsRead + " " + hotel.ScopeReservationsWrite + " " + hotel.ScopeAvailabilityRead

// as sends a request with a good token whose subject is the guest.
func (w *world) as(guest, method, path, body string) answer {
	w.t.Helper()
	return w.with(w.issuer.Mint(map[string]any{"aud": "reservations", "sub": guest, "scope": every}), method, path, body)
}

func (w *world) with(bearer, method, path, body string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Error(err) // not Fatal: many guests come at once, each in its goroutine
		return answer{Response: &http.Response{}}
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Error(err)
	}
	return answer{resp, read}
}

// book books and returns the reservation; it must succeed.
func (w *world) book(guest, body string) hotel.Reservation {
	w.t.Helper()
	a := w.as(guest, http.MethodPost, "/v1/reservations", body)
	if a.StatusCode != http.StatusCreated {
		w.t.Fatalf("booking answered %d: %s", a.StatusCode, a.body)
	}
	var booked hotel.Reservation
	a.into(w.t, &booked)
	return booked
}
