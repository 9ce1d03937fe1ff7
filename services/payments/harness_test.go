package payments_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
	"portcullis/certs"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/wiretest"
	"portcullis/services/mail"
	"portcullis/services/payments"
	"portcullis/services/sandbox"
)

const (
	good     = "4242424242424242"
	declined = "4000000000000002"
	// bankTime is how long the bank may take here; what nobody knows of is settled
	// a second later. patientTime is for who must not give up on a busy machine.
	bankTime    = time.Second
	patientTime = 30 * time.Second
	// patience bounds the wait for what the worker does, on a busy machine.
	patience = 2 * time.Minute
)

// world is the service payments with an issuer, the sandbox's bank and its mail
// sink, all over TLS.
type world struct {
	*testing.T
	issuer  *tokentest.Issuer
	service *payments.Service
	path    string
	server  *httptest.Server
	client  *http.Client
	bank    *httptest.Server
	sender  *mail.Sender
	inbox   http.Handler
	log     wiretest.Log
	stop    func()
	within  time.Duration // in which the bank must answer
}

func newWorld(t *testing.T) *world { t.Helper(); return newWorldWithin(t, bankTime) }

// newWorldWithin is one where the bank may take longer.
func newWorldWithin(t *testing.T, within time.Duration) *world {
	t.Helper()
	w := &world{T: t, within: within, issuer: tokentest.New(t), path: filepath.Join(t.TempDir(), "payments.db")}
	w.bank = httptest.NewTLSServer(sandbox.NewBank(sandbox.BankConfig{Key: "bank's key"}).Handler())
	t.Cleanup(func() {
		w.behave() // a server waits for its delays
		w.bank.Close()
	})
	w.mailed()
	w.start()
	return w
}

// mailed starts the mail sink.
func (w *world) mailed() {
	w.Helper()
	authority, err := certs.Dev(w.TempDir(), time.Now())
	if err != nil {
		w.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		w.Fatal(err)
	}
	identity, err := certs.NewServer(certs.ServerConfig{Files: files})
	if err != nil {
		w.Fatal(err)
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: files.CA}})
	if err != nil {
		w.Fatal(err)
	}
	sink, err := sandbox.New(sandbox.Config{TLS: identity.Server("smtp")})
	if err != nil {
		w.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = sink.Serve(ctx, l) }()
	w.Cleanup(func() { cancel(); <-ended })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	w.sender, err = mail.New(mail.Config{Addr: "localhost:" + port, From: "payments@hotel.test", Hello: "localhost", TLS: trust.Client()})
	if err != nil {
		w.Fatal(err)
	}
	w.inbox = sink.Handler()
}

// start opens the service and serves it; stop ends it, as a process that is
// asked to.
func (w *world) start() {
	w.Helper()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.service, err = payments.New(w.Context(), payments.Config{
		Path: w.path,
		Bank: payments.BankConfig{
			URL: w.bank.URL, TLS: w.bank.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), Timeout: w.within,
			Key: func() (string, error) { return "bank's key", nil },
		},
		Mail: w.sender, Guard: wiretest.Guard(w, w.issuer, "payments"), Log: log,
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func(s *payments.Service) { defer close(ended); s.Run(ctx) }(w.service)
	w.server = httptest.NewTLSServer(chassis.RequestLog(log, &w.log)(w.service.Handler()))
	agreed, err := contract.Parse(payments.Contract())
	if err != nil {
		w.Fatal(err)
	}
	w.client = &http.Client{Transport: agreed.Transport(w.T, w.server.Client().Transport)}
	w.stop = sync.OnceFunc(func() {
		w.server.Close()
		cancel()
		<-ended
		if err := w.service.Close(); err != nil {
			w.Error(err)
		}
	})
	w.Cleanup(w.stop)
}

// tell has the bank misbehave; behave ends it.
func (w *world) tell(what string) { w.Helper(); w.control(http.MethodPut, what) }
func (w *world) behave()          { w.Helper(); w.control(http.MethodDelete, "") }

func (w *world) control(method, body string) {
	w.Helper()
	r, _ := http.NewRequest(method, w.bank.URL+"/control", strings.NewReader(body))
	resp, err := w.bank.Client().Do(r)
	if err != nil {
		w.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		w.Fatalf("the bank's control answered %d to %s", resp.StatusCode, body)
	}
}

// direct sends the bank what a process that is gone now had sent it.
func (w *world) direct(method, path, key, body string) {
	w.Helper()
	r, _ := http.NewRequest(method, w.bank.URL+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer bank's key")
	r.Header.Set("Idempotency-Key", key)
	resp, err := w.bank.Client().Do(r)
	if err != nil {
		w.Fatal(err)
	}
	_ = resp.Body.Close()
}

// books is what the bank knows.
type books struct {
	Charges []struct {
		Key, Status, Last4 string
		Amount, Refunded   int64
	}
	Balance map[string]int64
}

func (w *world) books() (b books) {
	w.Helper()
	r, _ := http.NewRequest(http.MethodGet, w.bank.URL+"/charges", nil)
	r.Header.Set("Authorization", "Bearer bank's key")
	resp, err := w.bank.Client().Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
		w.Fatal(err)
	}
	return b
}

// mails are the subjects of the mails to an address, oldest first.
func (w *world) mails(to string) (subjects []string) {
	w.Helper()
	rec := httptest.NewRecorder()
	w.inbox.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/messages?to="+to, nil))
	var list struct {
		Messages []struct{ Subject, Text, HTML string }
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil {
		w.Fatal(err)
	}
	for _, m := range list.Messages {
		subjects = append([]string{m.Subject}, subjects...)
	}
	return subjects
}

// reply is a response whose body has been read.
type reply struct {
	*http.Response
	body string
}

// charge is the charge in the answer.
func (r reply) charge(t *testing.T) (c hotel.Charge) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &c); err != nil {
		t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
	return c
}

// body asks to charge a card; more is set in the JSON last.
func body(id string, amount int64, card string) string {
	return fmt.Sprintf(`{"reservation":%q,"amount":{"amount":%d,"currency":"EUR"},"card":{"number":%q,"expiry":"12/40","code":"123","holder":"A. Guest"},"receipt_to":"g@guest.test"}`, id, amount, card)
}

// pay charges a guest's card, as reservations does for them.
func (w *world) pay(guest, id string, amount int64, card string) reply {
	w.Helper()
	return w.post(guest, id, body(id, amount, card))
}

func (w *world) post(guest, key, body string) reply {
	w.Helper()
	bearer := w.issuer.Mint(map[string]any{
		"aud": "payments", "sub": guest, "client_id": "reservations", "scope": hotel.ScopeChargesWrite, "act": map[string]any{"sub": "reservations"},
	})
	return w.send(bearer, http.MethodPost, "/v1/charges", key, body)
}

// own is a request with a service's own token.
func (w *world) own(client, scope, method, path string) reply {
	w.Helper()
	return w.send(w.issuer.Mint(map[string]any{"aud": "payments", "sub": client, "client_id": client, "scope": scope}), method, path, "", "")
}

func (w *world) get(id string) reply {
	w.Helper()
	return w.own("reservations", hotel.ScopeChargesSettle, http.MethodGet, "/v1/charges/"+id)
}

func (w *world) void(id string) reply {
	w.Helper()
	return w.own("reservations", hotel.ScopeChargesSettle, http.MethodPost, "/v1/charges/"+id+"/void")
}

func (w *world) refund(id string) reply {
	w.Helper()
	return w.own("reservations", hotel.ScopeChargesSettle, http.MethodPost, "/v1/charges/"+id+"/refund")
}

func (w *world) send(bearer, method, path, key, body string) reply {
	w.Helper()
	a := wiretest.Ask(w, w.client, bearer, method, w.server.URL+path, body, "Idempotency-Key", key)
	return reply{a.Response, string(a.Body)}
}

// wants checks a status.
func (w *world) wants(status int, r reply) reply {
	w.Helper()
	if r.StatusCode != status {
		w.Fatalf("answered %d, want %d: %s", r.StatusCode, status, r.body)
	}
	return r
}

// eventually waits for what the worker does.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("it did not come to pass that %s; the bank has %+v", what, w.books())
		}
	}
}
