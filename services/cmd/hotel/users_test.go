package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/services/hotel"
)

// guestbook is the service users as it is run, beside a sandbox as it is run and
// one server that plays all its neighbours.
type guestbook struct {
	*system
	url        string
	inbox      string
	client     *http.Client // of the inbox
	neighbours *httptest.Server
	args       []string

	mu    sync.Mutex
	asked []string
}

func newGuestbook(t *testing.T) *guestbook {
	t.Helper()
	g := &guestbook{system: newSystem(t)}
	inbox, smtp, trust, _ := mailed(t)
	transport := &http.Transport{TLSClientConfig: trust}
	t.Cleanup(transport.CloseIdleConnections)
	g.inbox, g.client = inbox, &http.Client{Transport: transport}
	g.neighbours = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked = append(g.asked, r.Method+" "+r.URL.Path)
		g.mu.Unlock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/documents/"):
			w.Header().Set("Content-Type", "application/pdf")
			_, _ = io.WriteString(w, "%PDF-1.7")
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"reservations":[]}`)
		}
	}))
	t.Cleanup(g.neighbours.Close)

	authority, err := certs.Dev(filepath.Join(g.dir, "certs"), time.Now()) // the one there is
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Leaf("users", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files.CA = g.files["gateway"].CA
	g.files["users"] = files
	for _, name := range []string{"reservations", "payments", "reporting", "booking"} {
		g.issuer.Client("users", "secret of users", name, 0, hotel.ScopeGuestExport, hotel.ScopeGuestErase, hotel.ScopeDocumentsRead)
	}
	g.issuer.Client("users", "secret of users", token.FeedAudience, 0, token.FeedScope, token.EraseScope)
	mailCA := g.write("mail-ca.pem", authorityOf(t, inbox, trust))
	address := freeAddress(t)
	g.url = "https://" + address
	g.args = []string{
		"users", "--addr", address, "--data", filepath.Join(g.dir, "data"), "--cert", files.Cert, "--key", files.Key, "--ca", files.CA,
		"--issuer", g.issuer.URL, "--client-secret-file", g.write("users.secret", "secret of users\n"),
		"--reservations", g.neighbours.URL, "--payments", g.neighbours.URL, "--reporting", g.neighbours.URL, "--booking", g.neighbours.URL,
		"--smtp", "localhost:" + smtp[strings.LastIndex(smtp, ":")+1:], "--smtp-ca", mailCA, "--mail-from", "bookings@hotel.test", "--hotel-mail", "h-2=desk@inn.test",
	}
	return g
}

// authorityOf is who signed the certificate that a server of ours shows, in PEM.
func authorityOf(t *testing.T, address string, trust *tls.Config) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), trust)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	chain := conn.ConnectionState().VerifiedChains[0]
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw}))
}

func (g *guestbook) run(t *testing.T) (stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var events bytes.Buffer
	diagnostics := &output{serving: make(chan struct{})}
	done := make(chan int, 1)
	go func() { done <- run(ctx, g.args, &events, diagnostics) }()
	select {
	case <-diagnostics.serving:
	case code := <-done:
		cancel()
		t.Fatalf("it ended with %d: %s", code, diagnostics)
	}
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-done, events.String() + diagnostics.String()
	})
	t.Cleanup(func() { stop() })
	return stop
}

func (g *guestbook) has(text string, mails int) bool {
	resp, err := g.client.Get(g.inbox + "/api/messages")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Messages []struct{ Text string } }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		g.t.Fatal(err)
	}
	found := 0
	for _, m := range list.Messages {
		if strings.Contains(m.Text, text) {
			found++
		}
	}
	return found == mails
}

func (g *guestbook) until(what string, happened func() bool) {
	g.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(time.Minute); !happened(); <-again.C {
		if time.Now().After(end) {
			g.t.Fatalf("never: %s", what)
		}
	}
}

func TestUsersMailsAndRemovesAsItIsRun(t *testing.T) {
	g := newGuestbook(t)
	stop := g.run(t)
	guest := g.exchanged("users", "g-7", map[string]any{"scope": hotel.ScopeProfileRead + " " + hotel.ScopeProfileWrite})
	client := g.system.client("gateway")
	if resp, body := g.status(client, request{http.MethodPut, g.url + "/v1/guests/g-7/profile", guest, `{"name":"Ada","email":"ada@guest.test"}`}); resp.StatusCode != http.StatusOK {
		t.Fatalf("the profile: %d %s", resp.StatusCode, body)
	}
	from, to := stay()
	event, err := json.Marshal(hotel.Event{ID: "e-1", Kind: hotel.BookingConfirmed, At: time.Now(), Reservation: hotel.Reservation{
		ID: "r-1", Hotel: "h-2", Guest: "g-7", Stay: hotel.Stay{From: from, To: to}, Guests: 2, Name: "Ada Lovelace", Note: "a quiet room",
		State: hotel.Confirmed, Total: hotel.Money{Amount: 20000, Currency: "EUR"}, HotelName: "Lighthouse",
	}})
	if err != nil {
		t.Fatal(err)
	}
	own := g.issuer.Mint(map[string]any{"aud": "users", "sub": "reservations", "client_id": "reservations", "scope": hotel.ScopeEventsWrite})
	// With another's certificate it is nobody's.
	if resp, _ := g.status(client, request{http.MethodPost, g.url + "/v1/events", own, string(event)}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("the gateway tells an event with another's token: %d", resp.StatusCode)
	}
	if resp, body := g.status(g.system.client("reservations"), request{http.MethodPost, g.url + "/v1/events", own, string(event)}); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("the event: %d %s", resp.StatusCode, body)
	}
	g.until("guest and hotel are told", func() bool { return g.has("Lighthouse", 2) })

	if resp, body := g.status(client, request{http.MethodGet, g.url + "/v1/guests/g-7/export", guest, ""}); resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "ada@guest.test") {
		t.Errorf("the export: %d %s", resp.StatusCode, body)
	}
	if resp, body := g.status(client, request{http.MethodPost, g.url + "/v1/guests/g-7/removal", guest, ""}); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the removal: %d %s", resp.StatusCode, body)
	}
	// The token service that is played here ends no accounts: all others are done.
	g.until("all but the account are done", func() bool {
		_, body := g.status(client, request{http.MethodGet, g.url + "/v1/guests/g-7/removal", guest, ""})
		return strings.Contains(string(body), `"left":["authserver"]`)
	})
	code, said := stop()
	if code != 0 || !strings.Contains(said, `"url.path"`) {
		t.Errorf("it ended with %d and said %.300s", code, said)
	}
	for _, private := range []string{"ada@guest.test", "Lovelace", "quiet room", guest, own, "secret of users"} {
		if strings.Contains(said, private) {
			t.Errorf("events or log hold %.40q", private)
		}
	}
}

func TestUsersSaysWhyItCannotStart(t *testing.T) {
	g := newGuestbook(t)
	for name, c := range map[string]struct{ flag, value, says string }{
		"a mail server without a port":   {"--smtp", "localhost", "--smtp"},
		"no authority for the server":    {"--smtp-ca", "nowhere.pem", "--smtp-ca"},
		"a desk that cannot be written":  {"--hotel-mail", "h-1=nobody", "h-1"},
		"a page in the clear":            {"--bookings-url", "http://hotel.test", "http://hotel.test"},
		"a neighbour in the clear":       {"--payments", "http://localhost:9103", "--payments"},
		"a sender with a name":           {"--mail-from", "Hotel <a@b.test>", "--mail-from"},
		"a user without password's file": {"--smtp-user", "u", "--smtp-password-file"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if code := run(ctx, append(g.args[:len(g.args):len(g.args)], c.flag, c.value), io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, stderr %q, want 1 and one that says %q", code, stderr.String(), c.says)
			}
		})
	}
}
