package e2e

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/deploy/fault"
	"portcullis/services/hotel"
)

// house is the whole hotel: all seven services, the gateway before them, and the
// world outside. Before each service, the bank, the partners and the mail server
// stands a proxy that misbehaves on request, through which all callers go.
type house struct {
	*system
	direct  map[string]string // addresses of the services themselves
	ops     map[string]string
	front   map[string]*fault.Proxy
	args    map[string][]string
	running map[string]*process
	guests  atomic.Int64
	nights  atomic.Int64
}

// houseServices are the hotel's own, in the order in which they start.
var houseServices = []string{"reporting", "payments", "search", "users", "reservations", "booking"}

// held is how long a room waits for a payment that nobody can tell of.
const held = 6 * time.Second

// newHouse starts everything and waits until it is ready.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := prepareHouse(t)
	h.startAuth()
	for _, name := range houseServices {
		h.startService(name)
	}
	h.startGateway()
	return h
}

// prepareHouse makes what newHouse starts.
func prepareHouse(t *testing.T) *house {
	t.Helper()
	h := &house{
		system: prepare(t), direct: map[string]string{}, ops: map[string]string{}, front: map[string]*fault.Proxy{},
		args: map[string][]string{}, running: map[string]*process{},
	}
	h.withMail()
	for name, address := range map[string]string{"bank": h.sink.bankURL, "aurora": h.sink.auroraURL, "baltic": h.sink.balticURL, "mail": "smtp://" + h.sink.smtp} {
		h.stand(name, host(address))
	}
	h.env = append(h.env, "GATEWAY_URL="+h.gatewayURL)
	for _, name := range houseServices {
		h.direct[name], h.ops[name] = "https://"+free(t), "http://"+free(t)
		h.stand(name, host(h.direct[name]))
		h.env = append(h.env, strings.ToUpper(name)+"_URL="+h.through(name))
	}
	more := map[string][]string{
		"reporting":    {"--verify-url", h.gatewayURL + "/verify"},
		"payments":     slices.Concat(h.to("bank"), h.mailFlags(), []string{"--bank-ca", h.authority.CA(), "--bank-timeout", "2s"}),
		"search":       slices.Concat(h.to("reservations"), h.partners()),
		"users":        slices.Concat(h.to("reservations", "payments", "reporting", "booking"), h.mailFlags(), []string{"--bookings-url", h.gatewayURL + "/bookings"}),
		"reservations": slices.Concat(h.to("search", "payments", "users", "reporting"), h.partners(), []string{"--hold", held.String()}),
		"booking":      slices.Concat(h.to("search", "reservations", "payments", "users", "reporting"), []string{"--public-url", h.gatewayURL}),
	}
	for _, name := range houseServices {
		files := h.leaf(name)
		h.args[name] = append([]string{
			"hotel", name, "--addr", host(h.direct[name]), "--ops", host(h.ops[name]), "--data", filepath.Join(h.dir, name),
			"--cert", files.Cert, "--key", files.Key, "--ca", files.CA,
			"--issuer", h.authURL, "--client-id", name, "--client-secret-file", h.secret(name),
		}, more[name]...)
	}
	return h
}

// stand puts a proxy before an address.
func (h *house) stand(name, target string) {
	h.t.Helper()
	p, err := fault.New(target)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = p.Close() })
	h.front[name] = p
}

// through is the address of a service for its callers.
func (h *house) through(name string) string { return "https://" + h.host(name) }

// host is what certificates name.
func (h *house) host(name string) string {
	return strings.Replace(h.front[name].Addr(), "127.0.0.1", "localhost", 1)
}

func (h *house) to(names ...string) (flags []string) {
	for _, name := range names {
		flags = append(flags, "--"+name, h.through(name))
	}
	return flags
}

func (h *house) mailFlags() []string {
	return []string{"--smtp", h.host("mail"), "--smtp-ca", h.authority.CA(), "--mail-from", "bookings@hotel.test"}
}

func (h *house) partners() []string {
	return []string{"--partner", "aurora=" + h.through("aurora"), "--partner", "baltic=" + h.through("baltic"), "--partner-ca", h.authority.CA()}
}

func (h *house) startService(name string) {
	h.t.Helper()
	p := launch(h.t, h.dir, name, h.env, h.args[name]...)
	h.running[name] = p
	h.ready(p, h.ops[name])
}

// kill ends one process of the house as a crash would.
func (h *house) kill(name string) {
	h.t.Helper()
	switch name {
	case "gateway":
		h.gateway.kill()
	case "authserver":
		h.auth.kill()
	default:
		h.running[name].kill()
	}
}

// revive starts it again.
func (h *house) revive(name string) {
	h.t.Helper()
	switch name {
	case "gateway":
		h.startGateway()
	case "authserver":
		h.startAuth()
	default:
		h.startService(name)
	}
}

// breaks has a neighbour misbehave until heals, or the end of the test t.
func (h *house) breaks(t *testing.T, name string, f fault.Fault) {
	t.Helper()
	if err := h.front[name].Set(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.heals(t, name) })
}

func (h *house) heals(t *testing.T, name string) {
	t.Helper()
	if err := h.front[name].Set(fault.None()); err != nil {
		t.Fatal(err)
	}
}

// misbehaves tells a stand-in of the world outside what to do, until the end of t.
func (h *house) misbehaves(t *testing.T, standIn, how string) {
	t.Helper()
	h.control(t, standIn, http.MethodPut, how)
	t.Cleanup(func() { h.control(t, standIn, http.MethodDelete, "") })
}

func (h *house) control(t *testing.T, standIn, method, how string) {
	t.Helper()
	req, err := http.NewRequest(method, standIn+"/control", strings.NewReader(how))
	if err != nil {
		t.Fatal(err)
	}
	res, err := h.sink.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("%s /control %s: %d %s", method, how, res.StatusCode, text)
	}
}

// books are what the bank says of the hotel's account.
type books struct {
	Charges []struct {
		Key, Status, Last4 string
		Amount, Refunded   int64
	}
	Balance map[string]int64
}

// bank reads the bank's books; only is a charge's key, or empty for all.
func (h *house) bank(t *testing.T, only string) books {
	t.Helper()
	res, err := h.sink.client.Get(h.sink.bankURL + "/charges")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b books
	if err := decode(res.Body, &b); err != nil {
		t.Fatal(err)
	}
	if only != "" {
		b.Charges = slices.DeleteFunc(b.Charges, func(c struct {
			Key, Status, Last4 string
			Amount, Refunded   int64
		}) bool {
			return c.Key != only
		})
	}
	return b
}

// guest is somebody whom the suite's issuer knows, with a profile to mail to.
type guest struct {
	t                  *testing.T
	h                  *house
	sub, email, bearer string
}

const guestScopes = "search:read reservations:read reservations:write charges:write charges:read profile:read profile:write documents:read"

func (h *house) newGuest(t *testing.T) *guest {
	t.Helper()
	g := h.stranger(t)
	until(t, "the profile is taken", 0, func() bool { // a busy machine may not connect the gateway and users in time
		a := g.ask(http.MethodPut, "/v1/guests/"+g.sub+"/profile", `{"name":"Ada Lovelace","email":"`+g.email+`"}`)
		if a.status >= 300 && a.status != http.StatusServiceUnavailable {
			t.Fatalf("the profile: %d %s", a.status, a.body)
		}
		return a.status < 300
	})
	return g
}

// stranger has no profile yet.
func (h *house) stranger(t *testing.T) *guest {
	t.Helper()
	sub := fmt.Sprintf("g-%d", h.guests.Add(1))
	return &guest{t: t, h: h, sub: sub, email: sub + "@guest.test", bearer: h.as(sub, guestScopes)}
}

// ask asks the gateway; pairs are header fields.
func (g *guest) ask(method, target, body string, pairs ...string) answer {
	g.t.Helper()
	a, err := g.try(method, target, body, pairs...)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

func (g *guest) try(method, target, body string, pairs ...string) (answer, error) {
	return call(g.h.client, method, g.h.gatewayURL+target, g.bearer, body, pairs...)
}

// wish is one booking that a guest wants.
type wish struct {
	hotel    string
	from, to hotel.Date
	card     string // its number; pays at the hotel if empty
	note     string
	email    string // for mails about the payment
	key      string
}

// The cards of the sandbox's bank.
const (
	goodCard     = "4242424242424242"
	declinedCard = "4000000000000002"
)

// lighthouse has one room, market many.
const (
	lighthouse = "h-6"
	market     = "h-1"
)

// wish is a night that nobody else of this house wants.
func (h *house) wish(card string) wish {
	from := hotel.Today(time.Now()) + 20 + hotel.Date(h.nights.Add(1))
	return wish{hotel: lighthouse, from: from, to: from + 1, card: card, key: rand.Text()}
}

func (w wish) body() string {
	ask := hotel.ReservationRequest{
		Hotel: w.hotel, Stay: hotel.Stay{From: w.from, To: w.to}, Guests: 2, Note: cmp.Or(w.note, "A late arrival"), Name: "Ada Lovelace", Email: w.email,
	}
	if w.card != "" {
		ask.Card = &hotel.Card{Number: w.card, Expiry: "12/31", Code: "123", Holder: "Ada Lovelace"}
	}
	data, err := json.Marshal(ask)
	if err != nil {
		panic(err) // plain data
	}
	return string(data)
}

// book asks for a booking and gives what was answered.
func (g *guest) book(w wish) (hotel.Reservation, answer) {
	g.t.Helper()
	a := g.ask(http.MethodPost, "/v1/reservations", w.body(), "Idempotency-Key", w.key)
	var r hotel.Reservation
	_ = json.Unmarshal([]byte(a.body), &r) // a refusal has none
	return r, a
}

// reservation is one of the guest's as it is now.
func (g *guest) reservation(id string) hotel.Reservation {
	g.t.Helper()
	a := g.ask(http.MethodGet, "/v1/reservations/"+id, "")
	var r hotel.Reservation
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != http.StatusOK {
		g.t.Fatalf("reservation %s: %d %s", id, a.status, a.body)
	}
	return r
}

// reservations are all of the guest's.
func (g *guest) reservations() []hotel.Reservation {
	g.t.Helper()
	a := g.ask(http.MethodGet, "/v1/guests/"+g.sub+"/reservations", "")
	var list hotel.Reservations
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		g.t.Fatalf("the reservations: %d %s", a.status, a.body)
	}
	return list.Reservations
}

// decided waits until a booking is no longer under way.
func (g *guest) decided(id string) hotel.Reservation {
	g.t.Helper()
	var r hotel.Reservation
	until(g.t, "the booking "+id+" is decided", 40*time.Second, func() bool {
		r = g.reservation(id)
		return r.State != hotel.Held
	})
	return r
}

// booked books and wants it confirmed, now or soon. Who is told to come back
// does: on a busy machine services give each other up.
func (g *guest) booked(w wish) hotel.Reservation {
	g.t.Helper()
	a := g.insists(w)
	var r hotel.Reservation
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		g.t.Fatalf("booking: %d %s", a.status, a.body)
	}
	if r = g.decided(r.ID); r.State != hotel.Confirmed {
		g.t.Fatalf("the booking is %s: %s", r.State, r.Reason)
	}
	return r
}

// receipt waits until a booking has one, and gives the PDF.
func (g *guest) receipt(id string) string {
	g.t.Helper()
	until(g.t, "the receipt of "+id, 60*time.Second, func() bool { return g.reservation(id).Receipt != "" })
	a := g.ask(http.MethodGet, "/v1/documents/"+url.PathEscape(g.reservation(id).Receipt), "")
	if a.status != http.StatusOK || !strings.HasPrefix(a.body, "%PDF-") {
		g.t.Fatalf("the receipt: %d %.200s", a.status, a.body)
	}
	return a.body
}

// mailed waits for the mails with a subject that has these words, and gives
// them, newest first; more must not come.
func (g *guest) mailed(words string, n int) []mail {
	g.t.Helper()
	var found []mail
	until(g.t, fmt.Sprintf("%d mails to %s about %q", n, g.email, words), 60*time.Second, func() bool {
		found = slices.DeleteFunc(g.h.sink.mails(g.email), func(m mail) bool {
			return !strings.Contains(strings.ToLower(m.Subject), words)
		})
		return len(found) >= n
	})
	if len(found) != n {
		g.t.Errorf("%d mails came about %q, want %d", len(found), words, n)
	}
	return found
}

// free asks how many rooms of a wish's hotel are free then; search may remember
// for two seconds, a quote does not.
func (g *guest) free(w wish) int {
	g.t.Helper()
	a := g.ask(http.MethodPost, "/v1/quotes", fmt.Sprintf(`{"hotel":%q,"from":%q,"to":%q,"guests":2}`, w.hotel, w.from, w.to))
	var q hotel.Quote
	if err := json.Unmarshal([]byte(a.body), &q); err != nil || a.status != http.StatusOK {
		g.t.Fatalf("a quote: %d %s", a.status, a.body)
	}
	return q.Free
}

// settled checks that a booking is one thing, everywhere: confirmed, paid once
// and its room taken, or released, not paid, and its room free.
func (g *guest) settled(w wish, r hotel.Reservation) {
	g.t.Helper()
	switch r.State {
	case hotel.Confirmed:
		if free := g.free(w); w.hotel == lighthouse && free != 0 {
			g.t.Errorf("%s is confirmed and its room free", r.ID)
		}
		if w.card == "" {
			return
		}
		until(g.t, "the bank has charged "+r.ID+" once", 30*time.Second, func() bool {
			b := g.h.bank(g.t, r.ID)
			return len(b.Charges) == 1 && b.Charges[0].Status == "approved" && b.Charges[0].Amount == r.Total.Amount
		})
	case hotel.Released:
		if free := g.free(w); w.hotel == lighthouse && free != 1 {
			g.t.Errorf("%s is released, and %d rooms are free", r.ID, free)
		}
		until(g.t, "the bank holds nothing for "+r.ID, 30*time.Second, func() bool {
			b := g.h.bank(g.t, r.ID)
			return len(b.Charges) == 0 || b.Charges[0].Status != "approved"
		})
	default:
		g.t.Errorf("%s is %s", r.ID, r.State)
	}
}

// peerClient shows the certificate of a service, as its neighbours do.
func (h *house) peerClient(t *testing.T, name string) *http.Client {
	t.Helper()
	files := h.leaf(name)
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// own is a token that a client gets for itself.
func (h *house) own(t *testing.T, client, audience string, scopes ...string) string {
	t.Helper()
	a := h.token(t, client, "grant_type", "client_credentials", "audience", audience, "scope", strings.Join(scopes, " "))
	g := a.granted()
	if a.status != http.StatusOK || g.Access == "" {
		t.Fatalf("%s gets no token for %s: %d %s", client, audience, a.status, a.body)
	}
	return g.Access
}

// token asks the token service for one, as a client does that has its secret.
func (h *house) token(t *testing.T, client string, pairs ...string) answer {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(h.dir, client+".secret"))
	if err != nil {
		t.Fatal(err)
	}
	return h.post("/token", form(append(pairs, "client_id", client, "client_secret", strings.TrimSpace(string(secret)))...))
}

// exchanged is the token by which the gateway speaks to a service for a guest.
func (g *guest) exchanged(audience string) string {
	g.t.Helper()
	a := g.h.token(g.t, "gateway", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token", g.bearer, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", audience)
	got := a.granted()
	if a.status != http.StatusOK || got.Access == "" {
		g.t.Fatalf("no token for %s: %d %s", audience, a.status, a.body)
	}
	return got.Access
}

// call asks a service itself, around the gateway; no body if empty.
func call(client *http.Client, method, address, bearer, body string, pairs ...string) (answer, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(res)
}

// read reads a response whole.
func read(res *http.Response) (answer, error) {
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}
