package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/services/hotel"
)

// TestEveryHopCarriesATokenForExactlyThatService calls each service as its
// neighbours do, and as nobody should: it refuses whoever has no certificate, no
// token, a token for a neighbour, or a token that is another's.
func TestEveryHopCarriesATokenForExactlyThatService(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	audiences := append([]string{}, houseServices...)
	for service, c := range map[string]struct {
		caller, scope, method, path string
	}{
		"search":       {"reservations", hotel.ScopeSearchRead, http.MethodGet, "/v1/partners"},
		"reservations": {"search", hotel.ScopeAvailabilityRead, http.MethodPost, "/v1/availability"},
		"payments":     {"reservations", hotel.ScopeChargesSettle, http.MethodGet, "/v1/charges/r-1"},
		"users":        {"reservations", hotel.ScopeEventsWrite, http.MethodPost, "/v1/events"},
		"reporting":    {"users", hotel.ScopeGuestExport, http.MethodGet, "/v1/guests/g-1/data"},
		"booking":      {"gateway", hotel.ScopePagesServe, http.MethodGet, "/"},
	} {
		t.Run(service, func(t *testing.T) {
			address, peer := h.direct[service]+c.path, h.peerClient(t, c.caller)
			if _, err := h.client.Get(address); err == nil {
				t.Error("a peer without a certificate got an answer")
			}
			ask := func(client *http.Client, bearer string) answer {
				t.Helper()
				body := ""
				if c.method == http.MethodPost {
					body = "{}"
				}
				a, err := call(client, c.method, address, bearer, body)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			right := h.own(t, c.caller, service, c.scope)
			if a := ask(peer, right); a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status >= 500 {
				t.Errorf("with the right token: %d %s", a.status, a.body)
			}
			refused := map[string]string{
				"no token": "", "a guest's token for the gateway": h.as("g-1", guestScopes), "a token of the demo client for the gateway": h.commandToken("demo"),
			}
			for _, other := range audiences {
				// Whatever the caller may have for a neighbour.
				a := h.token(t, c.caller, "grant_type", "client_credentials", "audience", other)
				if g := a.granted(); other != service && g.Access != "" {
					refused["a token for "+other] = g.Access
				}
			}
			for name, bearer := range refused {
				if a := ask(peer, bearer); a.status != http.StatusUnauthorized {
					t.Errorf("with %s: %d, want 401", name, a.status)
				}
			}
			if a := ask(h.peerClient(t, "authserver"), right); a.status != http.StatusUnauthorized && a.status != http.StatusForbidden {
				t.Errorf("with the right token and another's certificate: %d, want 401 or 403", a.status)
			}
		})
	}
	t.Run("what is internal has no way in", func(t *testing.T) {
		g := h.newGuest(t)
		for target, method := range map[string]string{
			"/v1/availability": http.MethodPost, "/v1/charges": http.MethodPost, "/v1/charges/r-1": http.MethodGet, "/v1/charges/r-1/void": http.MethodPost,
			"/v1/charges/r-1/refund": http.MethodPost, "/v1/documents": http.MethodPost, "/v1/events": http.MethodPost,
			"/v1/guests/" + g.sub + "/data": http.MethodDelete, "/healthz": http.MethodGet, "/metrics": http.MethodGet,
		} {
			body := ""
			if method == http.MethodPost {
				body = "{}"
			}
			if a := g.ask(method, target, body); a.status != http.StatusNotFound {
				t.Errorf("%s %s: %d, want 404", method, target, a.status)
			}
		}
	})
	t.Run("a guest's card and words stand in no log, and the card nowhere", func(t *testing.T) {
		g := h.newGuest(t)
		w := h.wish(goodCard)
		w.note, w.email = "a canary sings at midnight", g.email
		g.receipt(g.booked(w).ID)
		g.mailed("confirm", 1)
		g.mailed("received", 1)
		for name, secret := range map[string]string{"the card's number": goodCard, "the card's number as people write it": "4242 4242 4242 4242"} {
			h.nowhere(t, name, secret, true)
		}
		h.nowhere(t, "the note", w.note, false)
		h.nowhere(t, "the address", g.email, false)
		h.nowhere(t, "the token", g.bearer, true)
	})
}

// nowhere looks for a text in all logs and, if asked to, in all files.
func (h *house) nowhere(t *testing.T, name, secret string, files bool) {
	t.Helper()
	for process, p := range h.processes() {
		if strings.Contains(p.said(), secret) {
			t.Errorf("%s stands in what %s said", name, process)
		}
	}
	err := filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !files && filepath.Ext(path) != ".out" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if strings.Contains(string(data), secret) {
			t.Errorf("%s stands in %s", name, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) processes() map[string]*process {
	all := map[string]*process{"gateway": h.gateway, "authserver": h.auth, "sandbox": h.sink.process}
	for name, p := range h.running {
		all[name] = p
	}
	return all
}
