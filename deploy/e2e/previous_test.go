package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/services/hotel"
)

// contract10 are the sources of the hotel whose reservations speak contract 1.0,
// as they were released (git archive 2de6d43).
const contract10 = "testdata/hotel-1.0.tar.gz"

// TestThePreviousReservationsWorkBesideTheNewHouse runs reservations as it was
// released with contract 1.0 beside everything as it is now, and then the new one
// on what the old one has stored.
func TestThePreviousReservationsWorkBesideTheNewHouse(t *testing.T) {
	t.Parallel()
	old := buildPrevious(t)
	h := prepareHouse(t)
	now := h.args["reservations"]
	h.startAuth()
	for _, name := range houseServices {
		if name != "reservations" {
			h.startService(name)
		}
	}
	// It knows the neighbour search alone.
	files := h.leaf("reservations")
	p := &process{t: t, name: "reservations 1.0", done: make(chan struct{})}
	out, err := os.Create(filepath.Join(h.dir, "reservations-1.0.out"))
	if err != nil {
		t.Fatal(err)
	}
	p.start(h.env, out, old, "reservations", "--addr", host(h.direct["reservations"]), "--ops", host(h.ops["reservations"]),
		"--data", filepath.Join(h.dir, "reservations"), "--cert", files.Cert, "--key", files.Key, "--ca", files.CA,
		"--issuer", h.authURL, "--client-id", "reservations", "--client-secret-file", filepath.Join(h.dir, "reservations.secret"), "--search", h.through("search"))
	_ = out.Close() // the child has its own
	h.ready(p, h.ops["reservations"])
	h.startGateway()

	g := h.newGuest(t)
	w := h.wish("")
	a := g.ask(http.MethodPost, "/v1/reservations", `{"hotel":"`+w.hotel+`","from":"`+w.from.String()+`","to":"`+w.to.String()+`","guests":2,"note":"as before"}`)
	var r hotel.Reservation
	if err := decode(strings.NewReader(a.body), &r); err != nil || a.status != http.StatusCreated || r.State != hotel.Confirmed {
		t.Fatalf("booking by contract 1.0: %d %s", a.status, a.body)
	}
	if list := g.reservations(); len(list) != 1 || list[0].ID != r.ID {
		t.Errorf("the list: %+v", list)
	}
	if free := g.free(w); free != 0 {
		t.Errorf("%d rooms are free", free)
	}
	paid := h.wish(goodCard)
	if _, a := g.book(paid); a.status < 400 {
		// It does not know cards: to book as if there was none would be to give the
		// room away.
		t.Errorf("the old one takes a booking by card: %d %s", a.status, a.body)
	}
	page := h.newVisitor("nobody@guest.test").open(h.gatewayURL + "/hotels/" + w.hotel + "?from=" + w.from.String() + "&to=" + w.to.String() + "&guests=2")
	if page.status != http.StatusOK || !strings.Contains(page.body, "No room is free on all of these nights.") {
		t.Errorf("the page of the hotel: %d %s", page.status, page.body)
	}

	p.kill()
	h.args["reservations"] = now
	h.startService("reservations")
	if got := g.reservation(r.ID); got.State != hotel.Confirmed || got.Note != "as before" || got.Total != r.Total {
		t.Errorf("the new one has %+v of %+v", got, r)
	}
	if _, a := g.book(w); a.status != http.StatusConflict {
		t.Errorf("the room is sold again: %d %s", a.status, a.body)
	}
	g.settled(paid, g.booked(paid))
	if a := g.ask(http.MethodDelete, "/v1/reservations/"+r.ID, ""); a.status >= 300 {
		t.Errorf("cancelling what the old one has stored: %d %s", a.status, a.body)
	}
	g.mailed("cancel", 1)
}

// buildPrevious builds the hotel of contract 1.0 from its sources as they were,
// without their tests: a clone may be without its history.
func buildPrevious(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", contract10, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("the sources with contract 1.0: %v\n%s", err, out)
	}
	program := filepath.Join(dir, "hotel-1.0")
	build := exec.Command("go", "build", "-o", program, "./services/cmd/hotel")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the hotel of contract 1.0: %v\n%s", err, out)
	}
	return program
}
