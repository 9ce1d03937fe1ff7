package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/certs"
	"portcullis/services/hotel"
)

// outside runs the sandbox with both partners until the test ends, and returns
// their addresses and who signs them.
func (s *system) outside() (aurora, baltic, ca string) {
	s.t.Helper()
	authority, err := certs.Dev(filepath.Join(s.dir, "outside"), time.Now()) // strangers have another one
	if err != nil {
		s.t.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	aurora, baltic = freeAddress(s.t), freeAddress(s.t)
	ctx, cancel := context.WithCancel(context.Background())
	diagnostics := &output{serving: make(chan struct{})}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"sandbox", "--addr", freeAddress(s.t), "--smtp", freeAddress(s.t), "--cert", files.Cert, "--key", files.Key, "--aurora", aurora, "--baltic", baltic,
		}, io.Discard, diagnostics)
	}()
	s.t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			s.t.Errorf("the sandbox ended with %d: %s", code, diagnostics)
		}
	})
	for !strings.Contains(diagnostics.String(), `"name":"sandbox"`) { // which starts last
		select {
		case code := <-ended:
			ended <- code
			s.t.Fatalf("the sandbox ended with %d: %s", code, diagnostics)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return "https://" + aurora, "https://" + baltic, files.CA
}

func (s *system) offers(partner string) (int, hotel.Offers) {
	s.t.Helper()
	from, to := stay()
	target := fmt.Sprintf("%s/v1/partner-offers?partner=%s&city=Helsinki&from=%s&to=%s&guests=2", s.search, partner, from, to)
	resp, body := s.status(s.client("gateway"), request{http.MethodGet, target, s.exchanged("search", "g-1", nil), ""})
	var found hotel.Offers
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &found); err != nil {
			s.t.Fatal(err)
		}
	}
	return resp.StatusCode, found
}

func TestSearchAsksThePartnersOnItsCommandLine(t *testing.T) {
	s := newSystem(t)
	aurora, baltic, ca := s.outside()
	s.start("search", "--partner", "aurora="+aurora, "--partner", "baltic="+baltic, "--partner-ca", ca)
	for _, partner := range []string{"aurora", "baltic"} {
		status, found := s.offers(partner)
		if status != http.StatusOK || len(found.Hotels) == 0 || found.Hotels[0].Partner != partner {
			t.Errorf("%s: status %d, %+v", partner, status, found)
		}
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: ca}})
	if err != nil {
		t.Fatal(err)
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Client()}}
	defer stranger.CloseIdleConnections()
	if resp, _ := s.status(stranger, request{http.MethodPut, aurora + "/control", "", `{"status":503}`}); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("the control answered %d", resp.StatusCode)
	}
	if status, _ := s.offers("aurora"); status != http.StatusServiceUnavailable {
		t.Errorf("one that fails: status %d", status)
	}
	if status, _ := s.offers("baltic"); status != http.StatusOK {
		t.Errorf("the other one: status %d", status)
	}
}

func TestSearchBelievesNobodyWhoIsSignedByAnother(t *testing.T) {
	s := newSystem(t)
	aurora, _, _ := s.outside()
	s.start("search", "--partner", "aurora="+aurora, "--partner-ca", s.files["search"].CA)
	if status, _ := s.offers("aurora"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
}

func TestSearchGoesOnForAWhileWithoutReservations(t *testing.T) {
	s := newSystem(t)
	s.start("search", "--fresh", "1ms", "--stale", "1m")
	stop := s.start("reservations")
	client := s.client("gateway")
	before := len(s.found(client))
	stop()
	resp, body := s.status(client, request{http.MethodGet, s.searchURL(), s.exchanged("search", "g-1", nil), ""})
	var found hotel.Offers
	if err := json.Unmarshal(body, &found); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", resp.StatusCode, err, body)
	}
	if len(found.Hotels) != before || found.AsOf == nil || time.Since(*found.AsOf) > time.Minute {
		t.Errorf("%d hotels as of %v, before %d", len(found.Hotels), found.AsOf, before)
	}
}

func TestSearchSaysWhichPartnerCannotBe(t *testing.T) {
	s := newSystem(t)
	for partner, says := range map[string]string{
		"aurora":                    "NAME=URL",
		"=https://localhost":        "NAME=URL",
		"aurora=http://localhost":   "https",
		"Aurora=https://localhost":  "Aurora",
		"aurora=https://a.test?x=1": "https",
	} {
		var stderr bytes.Buffer
		code := run(t.Context(), []string{
			"search", "--addr", "127.0.0.1:0", "--data", s.dir, "--cert", s.files["search"].Cert, "--key", s.files["search"].Key,
			"--ca", s.files["search"].CA, "--client-secret-file", filepath.Join(s.dir, "search.secret"), "--partner", partner,
		}, io.Discard, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), says) {
			t.Errorf("%s: exit code %d, stderr %q, want 1 and one that says %q", partner, code, stderr.String(), says)
		}
	}
}
