package main

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// trusting is a token service that also takes the tokens of an issuer elsewhere,
// under a name.
func trusting(t *testing.T, elsewhere *tokentest.Issuer, name string) *subjects {
	t.Helper()
	ring, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSubjects("https://localhost:8444", ring, token.NewLocalRevocations(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, elsewhere.URL+"/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := elsewhere.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: answer.TLS.PeerCertificates[0].Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	grants, err := clients.Load(fstest.MapFS{"all.yaml": {Data: []byte(`version: 1
issuers:
  - {name: ` + name + `, url: ` + elsewhere.URL + `, audience: gateway, ca: ` + ca + `}
clients:
  - {name: gateway, grants: [client_credentials], audiences: [{name: search, scopes: [search:read]}]}
`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.use(grants)
	return s
}

func TestAnotherIssuerSpeaksOfItsOwnPeopleAlone(t *testing.T) {
	t.Parallel()
	elsewhere := tokentest.New(t)
	s := trusting(t, elsewhere, "partner")
	for name, c := range map[string]struct {
		subject string
		taken   bool
	}{
		"somebody of its own":            {"g-7", true},
		"somebody who signs in here":     {"u-k2v6xq3vt4jzq7o5w3ah2m6c5e", false},
		"a client of ours":               {"gateway", false},
		"a name that begins like ours":   {"gateway-2", true},
		"somebody with a u- in the name": {"xu-7", true},
	} {
		_, err := s.Verify(context.WithoutCancel(t.Context()), elsewhere.Mint(map[string]any{"sub": c.subject, "aud": "gateway"}), time.Now())
		if no, refused := errors.AsType[*problem.Problem](err); c.taken && err != nil || !c.taken && (!refused || no.Code != problem.InvalidToken) {
			t.Errorf("%s: %v, want it taken: %t", name, err, c.taken)
		}
	}
}

func TestAnotherIssuerIsNotTakenForUs(t *testing.T) {
	t.Parallel()
	elsewhere := tokentest.New(t)
	s := trusting(t, elsewhere, "portcullis")
	if p, err := s.Verify(t.Context(), elsewhere.Mint(map[string]any{"sub": "g-7", "aud": "gateway"}), time.Now()); err == nil {
		t.Errorf("a token of an issuer elsewhere that the policy calls as we call ourselves is one of %q", p.Issuer)
	}
}
