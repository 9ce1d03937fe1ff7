package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/certs"
)

func TestAHundredGuestsWantTheLighthouse(t *testing.T) {
	s := newSystem(t)
	stopSearch, stopReservations := s.start("search"), s.start("reservations")
	client := s.client("gateway")
	if hotels := s.found(client); !strings.Contains(fmt.Sprint(hotels), lighthouse) {
		t.Fatalf("before anyone booked, %v were found", hotels)
	}
	bearers := make([]string, 100)
	for i := range bearers {
		bearers[i] = s.exchanged("reservations", fmt.Sprintf("g-%d", i), nil)
	}
	var won, lost atomic.Int64
	var location atomic.Value
	var guests sync.WaitGroup
	for i, bearer := range bearers {
		guests.Go(func() {
			// A guest told to come later comes again, as people do.
			for {
				resp, body, err := s.send(client, request{http.MethodPost, s.reservations + "/v1/reservations", bearer, booking()})
				switch {
				case err != nil:
					t.Error(err)
				case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
					continue
				case resp.StatusCode == http.StatusCreated:
					won.Add(1)
					location.Store([2]string{bearer, resp.Header.Get("Location")})
				case resp.StatusCode == http.StatusConflict:
					lost.Add(1)
				default:
					t.Errorf("guest %d got %d: %s", i, resp.StatusCode, body)
				}
				return
			}
		})
	}
	guests.Wait()
	if won.Load() != 1 || lost.Load() != 99 {
		t.Fatalf("%d got the room and %d did not, want 1 and 99", won.Load(), lost.Load())
	}
	for _, h := range s.found(client) {
		if h == lighthouse {
			t.Error("search still offers the only room of the lighthouse")
		}
	}
	winner := location.Load().([2]string)
	resp, _ := s.status(client, request{http.MethodDelete, s.reservations + winner[1], winner[0], ""})
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("cancelling answered %d", resp.StatusCode)
	}
	if hotels := s.found(client); !strings.Contains(fmt.Sprint(hotels), lighthouse) {
		t.Error("search does not offer the lighthouse again after the cancellation")
	}
	for name, stop := range map[string]func() (int, string){"search": stopSearch, "reservations": stopReservations} {
		code, events := stop()
		if code != 0 || !strings.Contains(events, `"url.path"`) {
			t.Errorf("%s ended with %d, its events were %.200q", name, code, events)
		}
		if strings.Contains(events, bearers[0]) || strings.Contains(events, "quiet room") {
			t.Errorf("the events of %s hold a token or a body", name)
		}
	}
}

func TestWhoMayCallAService(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	s.start("reservations")
	page := func(bearer string) request {
		return request{http.MethodGet, s.search + "/v1/hotels/h-1", bearer, ""}
	}
	t.Run("a peer without a certificate is refused at the handshake", func(t *testing.T) {
		reloader, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: s.files["gateway"].CA}})
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{s.search, s.reservations} {
			conn, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), reloader.Client())
			if err == nil { // in TLS 1.3 the client learns of the refusal at its first read
				_, err = conn.Read(make([]byte, 1))
				_ = conn.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "tls: certificate required") {
				t.Errorf("%s: %v, want the alert that asks for a certificate", address, err)
			}
		}
	})
	t.Run("a peer with a certificate of another authority is too", func(t *testing.T) {
		other, err := certs.Dev(filepath.Join(t.TempDir(), "certs"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files, err := other.Leaf("gateway", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files.CA = s.files["gateway"].CA
		s.files["stranger"] = files
		if resp, _, err := s.send(s.client("stranger"), page(s.exchanged("search", "g-7", nil))); err == nil {
			t.Errorf("search answered %d", resp.StatusCode)
		}
	})
	for name, c := range map[string]struct {
		client, bearer string
		status         int
	}{
		"the gateway with a guest's token gets in":      {"gateway", s.exchanged("search", "g-7", nil), http.StatusOK},
		"a token for the neighbour does not":            {"gateway", s.exchanged("reservations", "g-7", nil), http.StatusUnauthorized},
		"a certificate without a token does not":        {"gateway", "", http.StatusUnauthorized},
		"the gateway's token in other hands is useless": {"reservations", s.exchanged("search", "g-7", nil), http.StatusForbidden},
		"so is another client's token in the gateway's": {"gateway", s.exchanged("search", "g-7", map[string]any{"client_id": "demo"}), http.StatusForbidden},
		"whoever acts, the client counts":               {"reservations", s.exchanged("search", "g-7", map[string]any{"act": map[string]any{"sub": "reservations"}}), http.StatusForbidden},
		"a subject named like a client is no client":    {"reservations", s.exchanged("search", "reservations", nil), http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			if resp, body := s.status(s.client(c.client), page(c.bearer)); resp.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, c.status, body)
			}
		})
	}
}

// The field once named the guest; now it is a word from outside like any other.
func TestTheTokenAloneSaysWhoTheGuestIs(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	s.start("reservations")
	client := s.client("gateway")
	guest, other := s.exchanged("reservations", "g-7", nil), s.exchanged("reservations", "g-9", nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.reservations+"/v1/reservations", strings.NewReader(booking()))
	if err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]string{
		"Authorization": "Bearer " + guest, "Content-Type": "application/json", "Portcullis-Subject": "g-9", "Portcullis-Client": "root",
	} {
		r.Header.Set(field, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("booking answered %d", resp.StatusCode)
	}
	booked := s.reservations + resp.Header.Get("Location")
	for bearer, want := range map[string]int{guest: http.StatusOK, other: http.StatusNotFound} {
		if resp, body := s.status(client, request{http.MethodGet, booked, bearer, ""}); resp.StatusCode != want {
			t.Errorf("status %d, want %d: %s", resp.StatusCode, want, body)
		}
	}
}

// The services hear of it themselves: one that is revoked after the gateway has
// let it through is refused all the same.
func TestARevokedTokenIsRefusedByEveryService(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	s.start("reservations")
	client := s.client("gateway")
	urls := map[string]string{"search": s.search + "/v1/hotels/h-1", "reservations": s.reservations + "/v1/reservations/r-none"}
	status := func(service, guest string) int {
		resp, _ := s.status(client, request{http.MethodGet, urls[service], s.exchanged(service, guest, nil), ""})
		return resp.StatusCode
	}
	before := map[string]int{}
	for service := range urls {
		if before[service] = status(service, "g-7"); before[service] == http.StatusUnauthorized {
			t.Fatalf("%s refuses a good token", service)
		}
	}
	s.issuer.Revoke(token.Revocation{Kind: token.RevokeToken, Value: "token-of-g-7"}) // from which the others were made
	for service := range urls {
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for end := time.Now().Add(time.Minute); status(service, "g-7") != http.StatusUnauthorized; <-again.C {
			if time.Now().After(end) {
				t.Fatalf("%s still takes the token", service)
			}
		}
		if got := status(service, "g-9"); got != before[service] {
			t.Errorf("another guest gets %d of %s, %d before", got, service, before[service])
		}
	}
}

func TestReservationsDownAndBack(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	stop := s.start("reservations")
	client := s.client("gateway")
	before := len(s.found(client))
	if code, _ := stop(); code != 0 {
		t.Fatalf("reservations ended with %d", code)
	}
	resp, body := s.status(client, request{http.MethodGet, s.searchURL(), s.exchanged("search", "g-1", nil), ""})
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("without reservations search answered %d, Retry-After %q: %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
	s.start("reservations") // on the same files
	if after := len(s.found(client)); after != before {
		t.Errorf("%d hotels after, %d before", after, before)
	}
}

func TestReservationsOutliveTheProcess(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	stop := s.start("reservations")
	client, bearer := s.client("gateway"), s.exchanged("reservations", "g-7", nil)
	resp, booked := s.status(client, request{http.MethodPost, s.reservations + "/v1/reservations", bearer, booking()})
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("booking answered %d: %s", resp.StatusCode, booked)
	}
	stop()
	s.start("reservations")
	_, shown := s.status(client, request{http.MethodGet, s.reservations + resp.Header.Get("Location"), bearer, ""})
	if string(shown) != string(booked) {
		t.Errorf("shown %s, booked %s", shown, booked)
	}
}

func TestAServiceSaysWhyItCannotStart(t *testing.T) {
	s := newSystem(t)
	good := []string{
		"search", "--addr", "127.0.0.1:0", "--data", s.dir, "--cert", s.files["search"].Cert, "--key", s.files["search"].Key,
		"--ca", s.files["search"].CA, "--client-secret-file", filepath.Join(s.dir, "search.secret"),
	}
	for name, c := range map[string]struct {
		more []string
		says string
	}{
		"no certificate":                {[]string{"--cert", "nowhere.pem"}, "nowhere.pem"},
		"no secret":                     {[]string{"--client-secret-file", "nowhere"}, "nowhere"},
		"an empty secret":               {[]string{"--client-secret-file", s.write("empty", "\n")}, "one line"},
		"another word for the stale":    {[]string{"--revocation-then", "perhaps"}, "--revocation-then"},
		"an issuer without TLS":         {[]string{"--issuer", "http://issuer.test"}, "--issuer"},
		"a neighbour in the clear":      {[]string{"--reservations", "http://localhost:9102"}, "--reservations"},
		"a database that is none":       {[]string{"--data", filepath.Dir(s.write("search.db", strings.Repeat("no", 1000)))}, "search.db"},
		"an argument that is not there": {[]string{"--colour", "red"}, "--colour"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if code := run(ctx, append(good[:len(good):len(good)], c.more...), io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, stderr %q, want 1 and one that says %q", code, stderr.String(), c.says)
			}
		})
	}
}
