package booking_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
	"portcullis/services/booking"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/wiretest"
)

const (
	guest = "g-7"
	email = "ada@guest.test"
)

// world is the Booking UI behind a stand-in for the gateway, a token service
// that signs people in, and neighbours that want a token for themselves alone.
type world struct {
	t       testing.TB
	issuer  *tokentest.Issuer
	service *booking.Service
	// url is what browsers call the pages; direct goes around the gateway.
	url, direct string
	log         *wiretest.Log
	path        string
	hotel       *house
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t), log: &wiretest.Log{}, hotel: newHouse(), path: filepath.Join(t.TempDir(), "booking.db")}
	log := slog.New(slog.NewJSONHandler(w.log, nil))

	server := httptest.NewUnstartedServer(nil)
	w.url = "https://" + server.Listener.Addr().String()
	w.grants()
	w.issuer.Guest(guest, email)

	var err error
	w.service, err = booking.New(t.Context(), booking.Config{
		Path: w.path, PublicURL: w.url, Issuer: w.issuer.URL, ClientID: "booking",
		Secret: func() (string, error) { return "secret", nil },
		HTTP:   w.issuer.HTTP(),
		Search: w.peer("search", w.search), Reservations: w.peer("reservations", w.reservations), Users: w.peer("users", w.users),
		Reporting: w.peer("reporting", w.reporting), Payments: w.peer("payments", w.payments),
		Guard: wiretest.Guard(t, w.issuer, "booking"), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.service.Close() })
	handler := chassis.RequestLog(log, w.log)(w.service.Handler())
	direct := httptest.NewTLSServer(handler)
	t.Cleanup(direct.Close)
	w.direct = direct.URL
	// The gateway's part: it says who it is, and the browser does not.
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+w.gateway(nil))
		handler.ServeHTTP(rw, r)
	})
	server.StartTLS()
	t.Cleanup(server.Close)
	return w
}

// grants are those of policies/clients.yaml.
func (w *world) grants() { w.register(0) }

// short gives guests access tokens that have to be renewed at each request.
func (w *world) short() { w.register(3 * time.Second) }

func (w *world) register(life time.Duration) {
	for audience, scopes := range map[string][]string{
		"booking": {
			hotel.ScopeSearchRead, hotel.ScopeReservationsRead, hotel.ScopeReservationsWrite, hotel.ScopeChargesWrite, hotel.ScopeChargesRead,
			hotel.ScopeProfileRead, hotel.ScopeProfileWrite, hotel.ScopeDocumentsRead,
		},
		"search":       {hotel.ScopeSearchRead},
		"reservations": {hotel.ScopeReservationsRead, hotel.ScopeReservationsWrite, hotel.ScopeChargesWrite},
		"users":        {hotel.ScopeProfileRead, hotel.ScopeProfileWrite},
		"payments":     {hotel.ScopeChargesRead},
		"reporting":    {hotel.ScopeDocumentsRead},
	} {
		w.issuer.Client("booking", "secret", audience, life, scopes...)
	}
	w.issuer.SignsIn("booking", w.url+"/signin/callback")
}

// gateway is the gateway's own token, changed by claims.
func (w *world) gateway(claims map[string]any) string {
	all := map[string]any{"aud": "booking", "sub": "gateway", "client_id": "gateway", "scope": hotel.ScopePagesServe}
	for name, value := range claims {
		all[name] = value
	}
	return w.issuer.Mint(all)
}

// weekend is a stay a month from now.
func weekend() hotel.Stay {
	from := hotel.Today(time.Now()) + 30
	return hotel.Stay{From: from, To: from + 2}
}

func stayQuery() string {
	s := weekend()
	return fmt.Sprintf("from=%s&to=%s&guests=2", s.From, s.To)
}
