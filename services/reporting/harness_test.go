package reporting_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"

	"portcullis/authserver/token/tokentest"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/wiretest"
	"portcullis/services/reporting"
)

func init() { openapi3filter.RegisterBodyDecoder("application/pdf", openapi3filter.FileBodyDecoder) }

const verifyAt = "https://hotel.test/verify"

// world is the service with an issuer, behind TLS.
type world struct {
	t       *testing.T
	issuer  *tokentest.Issuer
	path    string
	service *reporting.Service
	url     string
	client  *http.Client
	log     *wiretest.Log
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t), path: filepath.Join(t.TempDir(), "reporting.db"), log: &wiretest.Log{}}
	var err error
	w.service, err = reporting.New(t.Context(), reporting.Config{
		Path: w.path, Verify: verifyAt + "/", Guard: wiretest.Guard(t, w.issuer, "reporting"), Log: slog.New(slog.NewTextHandler(w.log, nil)), Renders: 2,
		Wait: 2 * time.Minute, // many share two cores with the race detector
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.service.Close() })
	w.serve(w.service)
	return w
}

// serve has requests go to a service, over TLS, and holds them and their
// answers to the contract.
func (w *world) serve(s *reporting.Service) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.log, nil))
	server := httptest.NewTLSServer(chassis.RequestLog(log, w.log)(s.Handler()))
	w.t.Cleanup(server.Close)
	agreed, err := contract.Parse(reporting.Contract())
	if err != nil {
		w.t.Fatal(err)
	}
	w.url = server.URL
	w.client = &http.Client{Transport: agreed.Transport(w.t, server.Client().Transport)}
}

// every is all scopes that a caller can have here.
var every = strings.Join([]string{hotel.ScopeDocumentsRead, hotel.ScopeDocumentsWrite, hotel.ScopeGuestExport, hotel.ScopeGuestErase}, " ")

// guest is the claims of a guest's token, exchanged by the Booking UI.
func guest(name string) map[string]any {
	return map[string]any{"sub": name, "client_id": "booking", "act": map[string]any{"sub": "booking"}, "scope": hotel.ScopeDocumentsRead}
}

// own is the claims of a service's own token, with every scope.
func own(client string) map[string]any {
	return map[string]any{"sub": client, "client_id": client, "scope": every}
}

// as sends a request with a token for reporting that has the claims.
func (w *world) as(claims map[string]any, method, path, body string) wiretest.Answer {
	w.t.Helper()
	all := map[string]any{"aud": "reporting"}
	for k, v := range claims {
		all[k] = v
	}
	return w.with(w.issuer.Mint(all), method, path, body)
}

func (w *world) with(bearer, method, path, body string) wiretest.Answer {
	w.t.Helper()
	return wiretest.Ask(w.t, w.client, bearer, method, w.url+path, body)
}

// make has a document set; it must succeed.
func (w *world) make(r hotel.DocumentRequest) hotel.Document {
	w.t.Helper()
	a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(w.t, r))
	if a.StatusCode != http.StatusCreated {
		w.t.Fatalf("status %d: %s", a.StatusCode, a.Body)
	}
	var made hotel.Document
	a.Into(w.t, &made)
	return made
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func date(t testing.TB, s string) hotel.Date {
	t.Helper()
	d, err := hotel.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// receipt is a plain request, of a guest g-7.
func receipt(t testing.TB, id string) hotel.DocumentRequest {
	return hotel.DocumentRequest{
		ID: id, Kind: hotel.Receipt, Guest: "g-7", Date: date(t, "2027-01-02"),
		Reservation: &hotel.Reservation{
			ID: "r-1", Hotel: "h-6", Guest: "g-7", Stay: hotel.Stay{From: date(t, "2027-01-10"), To: date(t, "2027-01-12")},
			Guests: 2, Note: "a quiet room", State: hotel.Confirmed, Total: hotel.Money{Amount: 37800, Currency: "EUR"},
			Created: time.Date(2027, 1, 2, 10, 0, 0, 0, time.UTC), HotelName: "The Lighthouse", City: "Helsinki", Name: "Aino Virtanen",
			Payment: &hotel.Payment{Method: hotel.ByCard, Status: hotel.ChargeApproved, Last4: "4242"},
		},
	}
}

// statement is a plain request of three payments.
func statement(t testing.TB, id string) hotel.DocumentRequest {
	return hotel.DocumentRequest{
		ID: id, Kind: hotel.Statement, Guest: "g-7", Name: "Ελένη Παπαδοπούλου", Date: date(t, "2027-01-31"),
		Lines: []hotel.StatementLine{
			{Date: date(t, "2027-01-02"), Text: "The Lighthouse, 2 nights", Amount: hotel.Money{Amount: 37800, Currency: "EUR"}},
			{Date: date(t, "2027-01-05"), Text: "Refund: Гостиница «Нева»", Amount: hotel.Money{Amount: -9900, Currency: "EUR"}},
			{Date: date(t, "2027-01-20"), Text: "旅館, 1 night", Amount: hotel.Money{Amount: 12000, Currency: "JPY"}},
		},
	}
}
