package reporting_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
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
	log     *safeBuffer
}

// safeBuffer may be written to by many.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, issuer: tokentest.New(t), path: filepath.Join(t.TempDir(), "reporting.db"), log: &safeBuffer{}}
	guard, err := token.NewGuard(token.GuardConfig{Verifier: w.issuer.VerifierFor("reporting"), Realm: "reporting"})
	if err != nil {
		t.Fatal(err)
	}
	w.service, err = reporting.New(t.Context(), reporting.Config{
		Path: w.path, Verify: verifyAt + "/", Guard: guard, Log: slog.New(slog.NewTextHandler(w.log, nil)), Renders: 2,
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
func (w *world) as(claims map[string]any, method, path, body string) answer {
	w.t.Helper()
	all := map[string]any{"aud": "reporting"}
	for k, v := range claims {
		all[k] = v
	}
	return w.with(w.issuer.Mint(all), method, path, body)
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
		w.t.Error(err) // not Fatal: many come at once, each in its goroutine
		return answer{Response: &http.Response{}}
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Error(err)
	}
	return answer{resp, read}
}

// make has a document set; it must succeed.
func (w *world) make(r hotel.DocumentRequest) hotel.Document {
	w.t.Helper()
	a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(w.t, r))
	if a.StatusCode != http.StatusCreated {
		w.t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	var made hotel.Document
	a.into(w.t, &made)
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
