package e2e

import (
	"crypto/tls"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"portcullis/services/hotel"
)

var stay = `"from":"` + arrival + `","to":"` + departure + `","guests":2`

// TestAGuestBooksAndCancels is the way of a guest through the edge, from
// search to cancelled, and of another who must not see any of it.
func TestAGuestBooksAndCancels(t *testing.T) {
	t.Parallel()
	s := start(t)
	guest := s.as("g-7", "search:read reservations:read reservations:write")
	other := s.as("g-9", "search:read reservations:read reservations:write")
	found := s.send("GET", searchTarget, guest, "")
	var offers hotel.Offers
	if err := decode(strings.NewReader(found.body), &offers); err != nil || found.status != 200 || len(offers.Hotels) == 0 {
		t.Fatalf("search: %d %v %s", found.status, err, found.body)
	}
	body := `{"hotel":"` + offers.Hotels[0].ID + `",` + stay
	if a := s.send("POST", "/v1/quotes", guest, body+`}`); a.status != 200 {
		t.Fatalf("quote: %d %s", a.status, a.body)
	}
	made := s.send("POST", "/v1/reservations", guest, body+`,"note":"Late arrival"}`)
	place := made.header.Get("Location")
	if made.status != 201 || !strings.HasPrefix(place, "/v1/reservations/") {
		t.Fatalf("booking: %d %q %s", made.status, place, made.body)
	}
	if a := s.send("GET", place, guest, ""); a.status != 200 || !strings.Contains(a.body, "confirmed") {
		t.Errorf("one's own: %d %s", a.status, a.body)
	}
	if a := s.send("GET", place, other, ""); a.status != 404 {
		t.Errorf("another guest's: %d %s", a.status, a.body)
	}
	if a := s.send("DELETE", place, other, ""); a.status != 404 {
		t.Errorf("cancelling another guest's: %d %s", a.status, a.body)
	}
	if a := s.send("GET", "/v1/guests/g-7/reservations", guest, ""); a.status != 200 || !strings.Contains(a.body, strings.TrimPrefix(place, "/v1/reservations/")) {
		t.Errorf("the list: %d %s", a.status, a.body)
	}
	for range 2 { // once more changes nothing
		if a := s.send("DELETE", place, guest, ""); a.status >= 300 {
			t.Errorf("cancelling: %d %s", a.status, a.body)
		}
	}
}

// TestNoRoomIsSoldTwice lets more guests at a hotel, all at once, than it has
// rooms.
func TestNoRoomIsSoldTwice(t *testing.T) {
	t.Parallel()
	s := start(t)
	desk := s.as("desk", "search:read")
	var offers hotel.Offers
	if err := decode(strings.NewReader(s.send("GET", searchTarget, desk, "").body), &offers); err != nil || len(offers.Hotels) == 0 {
		t.Fatalf("search: %v", err)
	}
	offer := offers.Hotels[0]
	for _, o := range offers.Hotels {
		if o.Free < offer.Free {
			offer = o
		}
	}
	var sold, refused atomic.Int64
	var guests sync.WaitGroup
	for i := range offer.Free + 10 {
		bearer := s.as("g-"+string(rune('a'+i%26))+string(rune('a'+i/26)), "reservations:write")
		guests.Go(func() {
			a, err := s.try(s.client, "POST", "/v1/reservations", bearer, `{"hotel":"`+offer.ID+`",`+stay+`}`)
			for err == nil && a.status == 503 && a.code() == "overloaded" { // too many to inspect at once: it says to come back
				a, err = s.try(s.client, "POST", "/v1/reservations", bearer, `{"hotel":"`+offer.ID+`",`+stay+`}`)
			}
			switch {
			case err == nil && a.status == 201:
				sold.Add(1)
			case err == nil && a.status == 409:
				refused.Add(1)
			default:
				t.Errorf("booking: %d %s %v", a.status, a.body, err)
			}
		})
	}
	guests.Wait()
	if int(sold.Load()) != offer.Free || refused.Load() != 10 {
		t.Errorf("%d rooms were free, %d were sold and %d guests refused; want %d and 10", offer.Free, sold.Load(), refused.Load(), offer.Free)
	}
}

// TestAroundTheGateway goes straight to a service: without a certificate there
// is no connection, with one there is still no way without a token for exactly
// that service.
func TestAroundTheGateway(t *testing.T) {
	t.Parallel()
	s := start(t)
	if _, err := s.client.Get(s.reservURL + "/v1/reservations/r-1"); err == nil {
		t.Error("a peer without a certificate got an answer")
	}
	files := s.leaf("gateway")
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	peer := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool, Certificates: []tls.Certificate{pair}}}}
	for name, bearer := range map[string]string{
		"without a token": "", "with a token for the gateway": s.commandToken("demo"), "with a token of an issuer it does not know": s.as("g-7", "reservations:read"),
	} {
		req, err := http.NewRequest("GET", s.reservURL+"/v1/guests/g-7/reservations", nil)
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		res, err := peer.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 401 {
			t.Errorf("%s: %d, want 401", name, res.StatusCode)
		}
	}
}
