package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// clients are the suite's, one of each kind.
const clients = `version: 1
clients:
  # A site that signs people in, and a program on somebody's own machine: native
  # ones do not know their port beforehand.
  - name: web
    grants: [authorization_code, refresh_token]
    redirects: ["APP/callback", "http://127.0.0.1/callback"]
    post_logout: ["APP/bye"]
    audiences:
      - {name: gateway, scopes: [search:read, reservations:read, reservations:write]}
  - name: native
    public: true
    grants: [authorization_code, refresh_token]
    redirects: ["http://127.0.0.1/callback"]
    audiences:
      - {name: gateway, scopes: [search:read]}

  # A service that gets tokens of people, as the gateway does.
  - name: partner
    grants: [client_credentials, token_exchange]
    serves: [gateway]
    audiences:
      - {name: gateway, scopes: [search:read]}
      - {name: search, scopes: [search:read]}

  - name: keyed
    grants: [client_credentials]
    audiences:
      - {name: gateway, scopes: [search:read]}
    keys:
      - |
KEY
  - name: brief
    grants: [client_credentials]
    lifetime: 1s
    audiences:
      - {name: gateway, scopes: [search:read]}
`

// addClients adds the suite's clients to the policies. The site is at app; the
// file of the one with a key is returned.
func (s *system) addClients(app string) (keyFile string) {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	keyFile = filepath.Join(s.dir, "keyed.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if der, err = x509.MarshalPKIXPublicKey(private.Public()); err != nil {
		s.t.Fatal(err)
	}
	public := strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	s.write("clients-e2e.yaml", strings.NewReplacer("APP", app, "KEY", "        "+strings.ReplaceAll(public, "\n", "\n        ")).Replace(clients))
	return keyFile
}

// readKey reads the private key of a client.
func readKey(t *testing.T, file string) any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is no PEM file", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
