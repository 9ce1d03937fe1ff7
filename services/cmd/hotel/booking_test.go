package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
)

// pages starts the Booking UI beside search and reservations.
func (s *system) pages(more ...string) (address string, ended chan int, said *output) {
	s.t.Helper()
	address = freeAddress(s.t)
	secret := s.write("booking.secret", "secret of booking\n")
	s.issuer.Client("booking", "secret of booking", "search", 0, hotel.ScopeSearchRead)
	s.issuer.Client("booking", "secret of booking", token.FeedAudience, 0, token.FeedScope)
	args := append([]string{
		"booking", "--addr", address, "--data", filepath.Join(s.dir, "data"),
		"--cert", s.files["gateway"].Cert, "--key", s.files["gateway"].Key, "--ca", s.files["gateway"].CA,
		"--issuer", s.issuer.URL, "--client-secret-file", secret, "--search", s.search, "--reservations", s.reservations,
	}, more...)
	ctx, cancel := context.WithCancel(context.Background())
	said, ended = &output{serving: make(chan struct{})}, make(chan int, 1)
	go func() { ended <- run(ctx, args, io.Discard, said) }()
	s.t.Cleanup(func() { cancel(); <-ended })
	return address, ended, said
}

func TestThePagesAreForTheGatewayAlone(t *testing.T) {
	s := newSystem(t)
	address, ended, said := s.pages()
	select {
	case <-said.serving:
	case code := <-ended:
		ended <- code
		t.Fatalf("it ended with %d: %s", code, said)
	}
	gateway := s.issuer.Mint(map[string]any{"aud": "booking", "sub": "gateway", "client_id": "gateway", "scope": hotel.ScopePagesServe})
	for name, c := range map[string]struct {
		client, bearer string
		status         int
	}{
		"the gateway":                  {"gateway", gateway, 200},
		"its token with another's key": {"search", gateway, 403},
		"its key without a token":      {"gateway", "", 401},
	} {
		resp, body := s.status(s.client(c.client), request{http.MethodGet, "https://" + address + "/", c.bearer, ""})
		for end := time.Now().Add(time.Minute); resp.StatusCode == http.StatusServiceUnavailable && time.Now().Before(end); {
			// The issuer's keys are fetched beside the start.
			resp, body = s.status(s.client(c.client), request{http.MethodGet, "https://" + address + "/", c.bearer, ""})
		}
		if resp.StatusCode != c.status || c.status == 200 && !strings.Contains(string(body), "Wake up by the water") {
			t.Errorf("%s got %d: %s", name, resp.StatusCode, body)
		}
	}
}

func TestThePagesNeedAnHTTPSAddress(t *testing.T) {
	s := newSystem(t)
	for _, address := range []string{"http://localhost:8443", "https://localhost:8443/shop", "localhost:8443", ""} {
		var stderr bytes.Buffer
		code := run(t.Context(), []string{
			"booking", "--addr", freeAddress(t), "--data", filepath.Join(s.dir, "data"), "--public-url", address,
			"--cert", s.files["gateway"].Cert, "--key", s.files["gateway"].Key, "--ca", s.files["gateway"].CA,
			"--issuer", s.issuer.URL, "--client-secret-file", s.write("booking.secret", "secret of booking\n"),
		}, io.Discard, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), "public URL") {
			t.Errorf("with %q the exit code is %d: %s", address, code, &stderr)
		}
	}
}
