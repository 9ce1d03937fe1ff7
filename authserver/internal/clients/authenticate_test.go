package clients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/token"
)

// keyPair is a client's key, and its public half as a policy file has it.
func keyPair(t *testing.T) (*token.ClientKey, string) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewClientKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return key, "      - |\n        " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n        ") + "\n"
}

const keyed = `version: 1
clients:
  - name: keyed
    grants: [client_credentials]
    audiences: [{name: gateway, scopes: [a]}]
    keys:
KEY
  - name: secret
    grants: [client_credentials]
    audiences: [{name: gateway, scopes: [a]}]
  - name: app
    grants: [authorization_code]
    public: true
    redirects: [https://app.test/callback]
    audiences: [{name: gateway, scopes: [a]}]
`

func assertion(t *testing.T, key *token.ClientKey, client, issuer string) clients.Proof {
	t.Helper()
	raw, err := key.Assertion(client, issuer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return clients.Proof{Method: clients.PrivateKeyJWT, ID: client, Assertion: raw}
}

func TestAClientProvesItselfByTheMethodItHas(t *testing.T) {
	t.Parallel()
	key, public := keyPair(t)
	stranger, _ := keyPair(t)
	f := newFixture(t, strings.Replace(keyed, "KEY\n", public, 1))
	secret, ofKeyed, ofApp := f.secret(t, "secret"), f.secret(t, "keyed"), f.secret(t, "app")
	for name, c := range map[string]struct {
		proof clients.Proof
		ok    bool
	}{
		"a secret in the header":                    {by("secret", secret), true},
		"a secret in the body":                      {clients.Proof{Method: clients.Post, ID: "secret", Secret: secret}, true},
		"an assertion":                              {assertion(t, key, "keyed", authURL), true},
		"nothing, of a public client":               {clients.Proof{Method: clients.None, ID: "app"}, true},
		"nothing, of a client with a secret":        {clients.Proof{Method: clients.None, ID: "secret"}, false},
		"nothing, of a client with a key":           {clients.Proof{Method: clients.None, ID: "keyed"}, false},
		"nothing, of nobody":                        {clients.Proof{Method: clients.None, ID: "nobody"}, false},
		"a secret, of a client with a key":          {by("keyed", ofKeyed), false},
		"a secret, of a public client":              {by("app", ofApp), false},
		"an assertion of a stranger":                {assertion(t, stranger, "keyed", authURL), false},
		"an assertion for another service":          {assertion(t, key, "keyed", "https://other.test"), false},
		"an assertion for the token endpoint":       {assertion(t, key, "keyed", authURL+"/token"), false},
		"an assertion of a client without keys":     {assertion(t, key, "secret", authURL), false},
		"an assertion of a client nobody knows":     {assertion(t, key, "nobody", authURL), false},
		"a method that there is not":                {clients.Proof{Method: "mtls", ID: "secret", Secret: secret}, false},
		"an assertion that names another than asks": {clients.Proof{Method: clients.PrivateKeyJWT, ID: "keyed", Assertion: assertion(t, key, "secret", authURL).Assertion}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.Authenticate(t.Context(), c.proof)
			if c.ok && (err != nil || got.ID != c.proof.ID) || !c.ok && !errors.Is(err, clients.ErrRefused) {
				t.Errorf("%q, %v; want it let in: %v", got.ID, err, c.ok)
			}
		})
	}
}

func TestAnAssertionIsGoodOnce(t *testing.T) {
	t.Parallel()
	key, public := keyPair(t)
	f := newFixture(t, strings.Replace(keyed, "KEY\n", public, 1))
	proof := assertion(t, key, "keyed", authURL)
	var let atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := f.Authenticate(t.Context(), proof); err == nil {
				let.Add(1)
			} else if !errors.Is(err, clients.ErrRefused) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if let.Load() != 1 {
		t.Errorf("an assertion let in %d of a hundred who showed it at once", let.Load())
	}
}

func TestAStrangersAssertionUsesNothingUp(t *testing.T) {
	t.Parallel()
	key, public := keyPair(t)
	f := newFixture(t, strings.Replace(keyed, "KEY\n", public, 1))
	proof := assertion(t, key, "keyed", authURL)
	forged := proof
	forged.Assertion = proof.Assertion[:len(proof.Assertion)-8] + "AAAAAAAA"
	if _, err := f.Authenticate(t.Context(), forged); !errors.Is(err, clients.ErrRefused) {
		t.Fatalf("a forged signature: %v", err)
	}
	if _, err := f.Authenticate(t.Context(), proof); err != nil {
		t.Errorf("the true one afterwards: %v", err)
	}
}
