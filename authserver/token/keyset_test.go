package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// serves is an issuer's server whose key set is whatever body says.
func serves(t *testing.T, body func(w http.ResponseWriter)) token.IssuerConfig {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { body(w) }))
	t.Cleanup(server.Close)
	return token.IssuerConfig{
		Name: "poisoned", URL: server.URL, Audience: tokentest.Audience, JWKS: server.URL, HTTP: server.Client(),
	}
}

func warm(t *testing.T, cfg token.IssuerConfig) (token.KeyStatus, error) {
	t.Helper()
	keys, err := token.NewIssuer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = keys.Warm(t.Context())
	return keys.Status(), err
}

func set(keys ...any) string {
	data, err := json.Marshal(claims{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestOnlyKeysThatMayVerifyAreTaken(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	good := jose.JSONWebKey{Key: p256.Public(), KeyID: "good", Algorithm: "ES256", Use: "sig"}
	variant := func(change func(*jose.JSONWebKey)) jose.JSONWebKey {
		k := good
		k.KeyID = "other"
		change(&k)
		return k
	}
	for _, c := range []struct {
		name string
		key  any
		want int
	}{
		{"a second good key counts", variant(func(*jose.JSONWebKey) {}), 2},
		{"a key without alg has that of its curve", variant(func(k *jose.JSONWebKey) { k.Algorithm = "" }), 2},
		{"a symmetric key is dropped", variant(func(k *jose.JSONWebKey) { k.Key, k.Algorithm = []byte("secret"), "HS256" }), 1},
		{"a private key is dropped", variant(func(k *jose.JSONWebKey) { k.Key = p256 }), 1},
		{"a key for encryption is dropped", variant(func(k *jose.JSONWebKey) { k.Use = "enc" }), 1},
		{"a key without kid is dropped", variant(func(k *jose.JSONWebKey) { k.KeyID = "" }), 1},
		{"a key with an endless kid is dropped", variant(func(k *jose.JSONWebKey) { k.KeyID = strings.Repeat("k", 129) }), 1},
		{"a key of 1024 bits is dropped", variant(func(k *jose.JSONWebKey) { k.Key, k.Algorithm = small.Public(), "RS256" }), 1},
		{"a key whose alg is another kind's is dropped", variant(func(k *jose.JSONWebKey) { k.Algorithm = "RS256" }), 1},
		{"a key whose alg is symmetric is dropped", variant(func(k *jose.JSONWebKey) { k.Algorithm = "HS256" }), 1},
		{"a key of a kind nobody knows is dropped", claims{"kty": "QQ", "kid": "q"}, 1},
		{"a key that is a number is dropped", 7, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, err := warm(t, serves(t, func(w http.ResponseWriter) { fmt.Fprint(w, set(good, c.key)) }))
			if err != nil || status.Keys != c.want {
				t.Errorf("%d keys, %v", status.Keys, err)
			}
		})
	}
}

func TestAPoisonedKeySetIsRefusedWhole(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	good := jose.JSONWebKey{Key: p256.Public(), KeyID: "good", Algorithm: "ES256", Use: "sig"}
	for _, c := range []struct {
		name    string
		body    func(http.ResponseWriter)
		because string
	}{
		{"ten thousand keys", func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"keys":[`+strings.Repeat("{},", 9999)+`{}]}`)
		}, "more than 32"},
		{"two keys of one name", func(w http.ResponseWriter) { fmt.Fprint(w, set(good, good)) }, "two keys"},
		{"keys twice", func(w http.ResponseWriter) { fmt.Fprint(w, `{"keys":[],"keys":[]}`) }, "not a JSON key set"},
		{"no keys", func(w http.ResponseWriter) { fmt.Fprint(w, set()) }, "no key that can verify"},
		{"a web page", func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, "not a JSON key set"},
		{"a body without end", func(w http.ResponseWriter) {
			for range 1 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, "larger than 256 KiB"},
		{"a redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://evil.test/jwks")
			w.WriteHeader(http.StatusFound)
		}, "302"},
		{"not found", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, err := warm(t, serves(t, c.body))
			if err == nil || !strings.Contains(err.Error(), c.because) || status.Usable {
				t.Errorf("%+v, %v", status, err)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the error repeats the answer: %d bytes", len(err.Error()))
			}
		})
	}
}

func TestDiscoveryOfAnotherIssuersKeysIsRefused(t *testing.T) {
	var document string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, document)
	}))
	defer server.Close()
	cfg := token.IssuerConfig{Name: "hotel", URL: server.URL, Audience: "a", HTTP: server.Client()}
	for name, c := range map[string]struct{ document, because string }{
		"a document of another issuer":   {`{"issuer":"https://evil.test","jwks_uri":"` + server.URL + `"}`, "did not match"},
		"a key address without TLS":      {`{"issuer":"` + server.URL + `","jwks_uri":"http://keys.test/jwks"}`, "must be https"},
		"a document with no key address": {`{"issuer":"` + server.URL + `"}`, "not the URL"},
	} {
		document = c.document
		if _, err := warm(t, cfg); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
