package e2e

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/deploy/fault"
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
