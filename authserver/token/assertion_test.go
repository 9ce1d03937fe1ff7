package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

const authURL = "https://auth.test"

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func spki(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return block("PUBLIC KEY", der)
}

func publicKey(t testing.TB, public crypto.PublicKey) token.PublicKey {
	t.Helper()
	key, err := token.ParsePublicKey(spki(t, public))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// asserted signs claims as an assertion with any header.
func asserted(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[string]any, body any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for name, value := range header {
		options.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, isText := body.(string)
	if !isText {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		payload = string(data)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func assertion(changes claims) claims {
	c := claims{
		"iss": "demo", "sub": "demo", "aud": authURL, "jti": "a-1",
		"iat": time.Now().Unix(), "exp": soon(time.Minute),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func TestAClientProvesItselfWithEachKindOfKey(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rsa2048, _ := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for name, signer := range map[string]crypto.Signer{"P-256": p256, "RSA": rsa2048, "Ed25519": ed} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key.pem")
			der, err := x509.MarshalPKCS8PrivateKey(signer)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, block("PRIVATE KEY", der), 0o600); err != nil {
				t.Fatal(err)
			}
			key, err := token.ReadClientKey(file)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			raw, err := key.Assertion("demo", authURL, now)
			if err != nil {
				t.Fatal(err)
			}
			if client, err := token.AssertionClient(raw); client != "demo" || err != nil {
				t.Errorf("it claims to be of %q, %v", client, err)
			}
			got, err := token.CheckAssertion(raw, "demo", authURL, []token.PublicKey{publicKey(t, p256.Public()), publicKey(t, signer.Public())}, now)
			if err != nil || got.Client != "demo" || len(got.ID) < 20 {
				t.Fatalf("%+v, %v", got, err)
			}
			if left := got.Expires.Sub(now); left < 89*time.Second || left > 91*time.Second {
				t.Errorf("its id must be remembered for %s: a minute and the skew", left)
			}
			again, _ := key.Assertion("demo", authURL, now)
			if other, _ := token.CheckAssertion(again, "demo", authURL, []token.PublicKey{publicKey(t, signer.Public())}, now); other.ID == got.ID {
				t.Error("two assertions have one id")
			}
		})
	}
}

func TestNoAttackPassesAsAnAssertion(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rsa2048, _ := rsa.GenerateKey(rand.Reader, 2048)
	keys := []token.PublicKey{publicKey(t, key.Public()), publicKey(t, rsa2048.Public())}
	issuer := tokentest.New(t)
	es := func(header claims, body any) string { return asserted(t, jose.ES256, key, header, body) }
	body := func(changes claims) string { return es(nil, assertion(changes)) }
	good, err := json.Marshal(assertion(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, raw, because string }{
		{"an assertion", body(nil), ""},
		{"one of type JWT", es(claims{"typ": "JWT"}, assertion(nil)), ""},
		{"one of its own type", es(claims{"typ": "client-authentication+jwt"}, assertion(nil)), ""},
		{"one with a kid of the client's own making", es(claims{"kid": "key-1"}, assertion(nil)), ""},
		{"one without iat", body(claims{"iat": nil}), ""},
		{"one signed with PSS", asserted(t, jose.PS256, rsa2048, nil, assertion(nil)), ""},

		{"an access token", es(claims{"typ": "at+jwt"}, assertion(nil)), "no client's assertion"},
		{"an access token of the issuer itself", issuer.Mint(claims{"iss": "demo", "sub": "demo", "aud": authURL}), "no client's assertion"},
		{"a DPoP proof", es(claims{"typ": "dpop+jwt"}, assertion(nil)), "no client's assertion"},
		{"the endpoint's URL as aud", body(claims{"aud": authURL + "/token"}), "the one string"},
		{"an array as aud", body(claims{"aud": []string{authURL}}), "the one string"},
		{"another service's aud", body(claims{"aud": "https://evil.test"}), "the one string"},
		{"aud with a slash behind", body(claims{"aud": authURL + "/"}), "the one string"},
		{"no aud", body(claims{"aud": nil}), "the one string"},
		{"another client's", body(claims{"iss": "other", "sub": "other"}), `of client "other"`},
		{"another subject", body(claims{"sub": "other"}), "sub is not its iss"},
		{"no sub", body(claims{"sub": nil}), "sub is not its iss"},
		{"no iss", body(claims{"iss": nil}), "iss is missing"},
		{"no jti", body(claims{"jti": nil}), "jti is missing"},
		{"a jti of a kilobyte", body(claims{"jti": strings.Repeat("a", 1000)}), "more than 256"},
		{"no exp", body(claims{"exp": nil}), "exp is missing"},
		{"exp as a string", body(claims{"exp": "4102444800"}), "exp is not a time"},
		{"expired beyond the skew", body(claims{"exp": soon(-31 * time.Second)}), "expired"},
		{"a life of ten minutes", body(claims{"exp": soon(10 * time.Minute)}), "longer than 5m"},
		{"made in the future", body(claims{"iat": soon(40 * time.Second)}), "iat is in the future"},
		{"good in the future", body(claims{"nbf": soon(40 * time.Second)}), "nbf is in the future"},
		{"iss twice", es(nil, strings.Replace(string(good), "{", `{"iss":"admin",`, 1)), "name twice"},
		{"ISS beside iss", es(nil, strings.Replace(string(good), "{", `{"ISS":"admin",`, 1)), "another spelling"},
		{"crit", es(claims{"crit": []string{"exp2"}, "exp2": 1}, assertion(nil)), "crit"},
		{"another's key", asserted(t, jose.ES256, other, nil, assertion(nil)), "no key"},
		{"another's key under the client's kid", asserted(t, jose.ES256, other, claims{"kid": keys[0].ID()}, assertion(nil)), "no key"},
		{"one key under the other's kid", es(claims{"kid": keys[1].ID()}, assertion(nil)), "no key"},
		{"a hash that the key is not for", asserted(t, jose.RS512, rsa2048, nil, assertion(nil)), "no key"},
		{"the public key as a secret", asserted(t, jose.HS256, spki(t, key.Public()), nil, assertion(nil)), "no key"},
		{"the signature of another", body(nil)[:strings.LastIndexByte(body(nil), '.')+1] + strings.Repeat("A", 86), "no key"},
		{"no signature", body(nil)[:strings.LastIndexByte(body(nil), '.')+1], "is empty"},
		{"a line break behind", body(nil) + "\n", "outside base64url"},
		{"a megabyte", body(claims{"x": strings.Repeat("x", 1<<20)}), "more than 8192"},
		{"nothing", "", "three parts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := token.CheckAssertion(c.raw, "demo", authURL, keys, time.Now())
			if c.because == "" {
				if err != nil || got.ID != "a-1" {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			if err == nil || got != (token.Assertion{}) || !strings.Contains(err.Error(), c.because) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	if _, err := token.CheckAssertion(body(nil), "demo", authURL, nil, time.Now()); err == nil {
		t.Error("a client without keys proved itself")
	}
	if _, err := token.CheckAssertion(body(nil), "demo", authURL, make([]token.PublicKey, 4), time.Now()); err == nil {
		t.Error("a key that is none verified")
	}
	if _, err := token.CheckAssertion(body(nil), "demo", authURL, make([]token.PublicKey, 9), time.Now()); err == nil {
		t.Error("any number of keys is tried")
	}
}

func TestAnAssertionIsNoAccessToken(t *testing.T) {
	issuer := tokentest.New(t)
	for _, typ := range []any{nil, "JWT", "client-authentication+jwt"} {
		raw := issuer.MintRaw(claims{"typ": typ}, payload(issuer))
		if p, err := issuer.Verifier().Verify(t.Context(), raw, time.Now()); err == nil {
			t.Errorf("typ %v passed as %+v", typ, p)
		}
	}
}

func TestKeysOfClientsThatCannotBeSafeAreRefused(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	good := spki(t, p256.Public())
	private, _ := x509.MarshalPKCS8PrivateKey(p256)
	for name, c := range map[string]struct {
		text    []byte
		because string
	}{
		"RSA of 1024 bits": {spki(t, small.Public()), "1024 bits"},
		"another curve":    {spki(t, p384.Public()), "not accepted"},
		"a private key":    {block("PRIVATE KEY", private), `"PRIVATE KEY"`},
		"two keys":         {append(append([]byte{}, good...), good...), "behind"},
		"a key and a word": {append(append([]byte{}, good...), "x"...), "behind"},
		"nothing":          {nil, "no PEM block"},
		"a block of noise": {block("PUBLIC KEY", []byte("noise")), "no public key"},
		"PKCS #1":          {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey)), `"RSA PUBLIC KEY"`},
	} {
		if _, err := token.ParsePublicKey(c.text); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := token.NewClientKey(small); err == nil {
		t.Error("a client signs with 1024 bits")
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	for name, text := range map[string][]byte{"a public key": good, "two keys": append(block("PRIVATE KEY", private), block("PRIVATE KEY", private)...), "nothing": nil, "noise": block("PRIVATE KEY", []byte("canary"))} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := token.ReadClientKey(file); err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := token.ReadClientKey(file + "-gone"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestASourceAndAnExchangerProveThemselvesWithAKey(t *testing.T) {
	signer, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err := token.NewClientKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _, basic := r.BasicAuth()
		a, err := token.CheckAssertion(r.FormValue("client_assertion"), "demo", authURL, []token.PublicKey{publicKey(t, signer.Public())}, time.Now())
		if err != nil || basic || r.PostFormValue("client_secret") != "" || seen[a.ID] ||
			r.PostFormValue("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			t.Errorf("%+v, %v, %v", a, err, r.PostForm)
		}
		seen[a.ID] = true
		_, _ = w.Write([]byte(`{"access_token":"t","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","expires_in":1}`))
	}))
	defer server.Close()
	now := newClock()
	source, err := token.NewSource(token.SourceConfig{TokenURL: server.URL, ClientID: "demo", Key: key, Issuer: authURL, HTTP: server.Client(), Now: now.Now})
	if err != nil {
		t.Fatal(err)
	}
	exchanger, err := token.NewExchanger(token.ExchangerConfig{
		TokenURL: server.URL, ClientID: "demo", Key: key, Issuer: authURL, Audience: "a", HTTP: server.Client(), Now: now.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if raw, err := source.Token(t.Context()); raw != "t" || err != nil {
			t.Errorf("%q, %v", raw, err)
		}
		if raw, err := exchanger.Token(t.Context(), "subject"); raw != "t" || err != nil {
			t.Errorf("%q, %v", raw, err)
		}
		now.pass(2 * time.Second)
	}
	if len(seen) != 4 {
		t.Errorf("%d assertions for four requests", len(seen))
	}
}
