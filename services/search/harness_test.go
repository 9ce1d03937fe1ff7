package search_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/search"
)

// today is the day on which all these tests happen.
var today = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant in all but name

// world is the service search with an issuer and a neighbour that plays
// reservations: it wants search's own token and says what the test told it to.
type world struct {
	t      *testing.T
	issuer *tokentest.Issuer
	url    string
	client *http.Client
	// reservations answers in place of the neighbour; nil lets every room be
	// free.
	reservations atomic.Pointer[http.HandlerFunc]
	asked        atomic.Int64
	neighbour    *httptest.Server
	now          atomic.Int64 // nanoseconds of Unix time
}

// later lets time pass.
func (w *world) later(d time.Duration) { w.now.Add(int64(d)) }

func newWorld(t *testing.T, change ...func(*search.Config)) *world {
	t.Helper()
	return newWorldWaiting(t, waits, change...)
}

// newWorldWaiting is one where search waits so long for reservations.
func newWorldWaiting(t *testing.T, patience time.Duration, change ...func(*search.Config)) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t)}
	w.now.Store(today.UnixNano())
	log := discard()
	w.issuer.Client("search", "secret", "reservations", 0, hotel.ScopeAvailabilityRead)

	guarded := wiretest.Guard(w.t, w.issuer, "reservations").Require(hotel.ScopeAvailabilityRead)
	w.neighbour = httptest.NewTLSServer(guarded(http.HandlerFunc(w.answer)))
	t.Cleanup(w.neighbour.Close)
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "search", Audience: "reservations",
		Secret: func() (string, error) { return "secret", nil },
		HTTP:   w.issuer.HTTP(),
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := peer.New(peer.Config{
		Name: "reservations", URL: w.neighbour.URL, Credential: source, Log: log, RequestID: chassis.RequestID,
		Timeout: patience, Connect: waits,
		TLS: w.neighbour.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	config := search.Config{
		Path:         filepath.Join(t.TempDir(), "search.db"),
		Reservations: client,
		Guard:        wiretest.Guard(w.t, w.issuer, "search"),
		Log:          log,
		Now:          func() time.Time { return time.Unix(0, w.now.Load()).UTC() },
	}
	for _, c := range change {
		c(&config)
	}
	service, err := search.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	server := httptest.NewTLSServer(chassis.RequestLog(log, io.Discard)(service.Handler()))
	t.Cleanup(server.Close)

	agreed, err := contract.Parse(search.Contract())
	if err != nil {
		t.Fatal(err)
	}
	w.url = server.URL
	w.client = &http.Client{Transport: agreed.Transport(t, server.Client().Transport)}
	return w
}

// answer plays reservations.
func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	w.asked.Add(1)
	if told := w.reservations.Load(); told != nil {
		(*told)(rw, r)
		return
	}
	var ask hotel.AvailabilityRequest
	if err := wire.Decode(rw, r, &ask); err != nil {
		w.t.Error(err)
	}
	var free hotel.Availability
	for _, h := range ask.Hotels {
		free.Hotels = append(free.Hotels, hotel.FreeRooms{Hotel: h.Hotel, Free: h.Rooms})
	}
	_ = wire.Answer(rw, http.StatusOK, free)
}

// tell makes the neighbour answer with f.
func (w *world) tell(f http.HandlerFunc) { w.reservations.Store(&f) }

// get asks the service with a good token, reads the answer into out when it is
// a success, and returns the response with its body read.
func (w *world) get(path string, out any) *http.Response {
	w.t.Helper()
	return w.getAs(w.issuer.Mint(map[string]any{"aud": "search", "scope": hotel.ScopeSearchRead}), path, out)
}

func (w *world) getAs(bearer, path string, out any) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(body, out); err != nil {
			w.t.Fatalf("%s: %v", body, err)
		}
	}
	return resp
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
