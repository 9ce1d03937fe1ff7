package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
)

// startReporting runs reporting on the certificate of search, since only
// clients are told by theirs, until stop.
func (s *system) startReporting(address string) (stop func() (code int, events string)) {
	s.t.Helper()
	s.issuer.Client("reporting", "secret of reporting", token.FeedAudience, 0, token.FeedScope)
	secret := s.write("reporting.secret", "secret of reporting\n")
	args := []string{
		"reporting", "--addr", strings.TrimPrefix(address, "https://"), "--data", filepath.Join(s.dir, "data"),
		"--cert", s.files["search"].Cert, "--key", s.files["search"].Key, "--ca", s.files["search"].CA,
		"--issuer", s.issuer.URL, "--client-secret-file", secret, "--verify-url", "https://hotel.test/verify",
	}
	ctx, cancel := context.WithCancel(context.Background())
	var events bytes.Buffer
	diagnostics := &output{serving: make(chan struct{})}
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, &events, diagnostics) }()
	select {
	case <-diagnostics.serving:
	case code := <-done:
		cancel()
		s.t.Fatalf("reporting ended with %d: %s", code, diagnostics)
	}
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-done, events.String()
	})
	s.t.Cleanup(func() { stop() })
	return stop
}

func TestAReceiptOutlivesTheProcess(t *testing.T) {
	s := newSystem(t)
	address := "https://" + freeAddress(t)
	stop := s.startReporting(address)
	writes := s.issuer.Mint(map[string]any{"aud": "reporting", "sub": "reservations", "client_id": "reservations", "scope": hotel.ScopeDocumentsWrite})
	reads := s.exchanged("reporting", "g-7", map[string]any{"scope": hotel.ScopeDocumentsRead})
	from, to := stay()
	body, err := json.Marshal(hotel.DocumentRequest{
		ID: "receipt-r-1", Kind: hotel.Receipt, Guest: "g-7", Date: from,
		Reservation: &hotel.Reservation{
			ID: "r-1", Hotel: lighthouse, HotelName: "The Lighthouse", Guest: "g-7", Name: "Aino Virtanen",
			Stay: hotel.Stay{From: from, To: to}, Guests: 2, State: hotel.Confirmed, Total: hotel.Money{Amount: 37800, Currency: "EUR"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := request{http.MethodPost, address + hotel.PathDocuments, writes, string(body)}
	if resp, said := s.status(s.client("gateway"), ask); resp.StatusCode != http.StatusForbidden {
		t.Errorf("with the gateway's certificate the token of reservations got %d: %s", resp.StatusCode, said)
	}
	resp, first := s.status(s.client("reservations"), ask)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("status %d: %s", resp.StatusCode, first)
	}
	read := request{http.MethodGet, address + resp.Header.Get("Location"), reads, ""}
	_, before := s.status(s.client("gateway"), read)
	if !bytes.HasPrefix(before, []byte("%PDF-")) {
		t.Fatalf("read %.100q", before)
	}
	code, events := stop()
	if code != 0 || strings.Contains(events, "Aino") || strings.Contains(events, writes) {
		t.Errorf("it ended with %d, or its events tell too much: %.300s", code, events)
	}
	s.startReporting(address)
	resp, again := s.status(s.client("reservations"), ask)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(again, first) {
		t.Errorf("asked again: %d %s, first %s", resp.StatusCode, again, first)
	}
	if _, after := s.status(s.client("gateway"), read); !bytes.Equal(after, before) {
		t.Error("the PDF is another")
	}
	var made hotel.Document
	if err := json.Unmarshal(again, &made); err != nil {
		t.Fatal(err)
	}
	stranger := s.exchanged("reporting", "g-9", map[string]any{"scope": hotel.ScopeDocumentsRead})
	proof := request{http.MethodGet, address + "/v1/proofs/receipt-r-1/" + made.Proof, stranger, ""}
	if resp, said := s.status(s.client("gateway"), proof); resp.StatusCode != http.StatusOK || strings.Contains(string(said), "Aino") {
		t.Errorf("the proof: %d %s", resp.StatusCode, said)
	}
}
