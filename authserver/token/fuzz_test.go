package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// Whatever is sent, nothing passes that the issuer did not sign, and the gate
// never lets a second spelling of a token through.
func FuzzOpen(f *testing.F) {
	issuer := tokentest.New(f)
	for _, a := range attacks(tokentest.New(f)) {
		if raw := a.make(issuer); len(raw) < 2000 {
			f.Add(raw)
		}
	}
	good := issuer.Mint(nil)
	f.Add(good)
	verifier := issuer.Verifier()
	f.Fuzz(func(t *testing.T, raw string) {
		if token.Open(raw) == nil && (strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "=+/ \r\n")) {
			t.Errorf("%q was taken apart", raw)
		}
		if p, err := verifier.Verify(t.Context(), raw, time.Now()); err == nil && raw != good {
			t.Errorf("%q passed as %+v", raw, p)
		}
	})
}

func FuzzReadKeys(f *testing.F) {
	f.Add([]byte(set(tokentest.New(f).Key())))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"a"},{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"b"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"c"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := token.ReadKeys(data); err == nil && (n < 1 || n > 32) {
			t.Errorf("%d keys", n)
		}
	})
}

// Whatever a client sends, nothing passes that its key did not sign.
func FuzzCheckAssertion(f *testing.F) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	key, err := token.NewClientKey(signer)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	good, err := key.Assertion("demo", authURL, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(asserted(f, jose.ES256, signer, claims{"typ": "at+jwt"}, assertion(nil)))
	f.Add(asserted(f, jose.ES256, signer, nil, assertion(claims{"aud": []string{authURL}})))
	f.Add(asserted(f, jose.HS256, spki(f, signer.Public()), nil, assertion(nil)))
	keys := []token.PublicKey{publicKey(f, signer.Public())}
	f.Fuzz(func(t *testing.T, raw string) {
		_, _ = token.AssertionClient(raw)
		if a, err := token.CheckAssertion(raw, "demo", authURL, keys, now); err == nil && raw != good {
			t.Errorf("%q passed as %+v", raw, a)
		}
	})
}

// However a stream is cut into events, each has data and stays within bounds.
func FuzzEvents(f *testing.F) {
	f.Add(state("e", 1) + gone("e", 1, "a") + beat(1))
	f.Add(": comment\r\n\r\nevent: x\ndata\ndata: y\nid:z\nretry: 1\n\n")
	f.Add("data: " + strings.Repeat("x", 5000))
	f.Add("\ufeffdata: x\n\n\rdata:\x00")
	f.Fuzz(func(t *testing.T, text string) {
		events, err := token.ReadEvents(text)
		if err == nil {
			t.Fatal("a stream that ended did not end")
		}
		total := 0
		for _, e := range events {
			total += len(e.Data)
			if len(e.Data) > 4096 || len(e.Name) > 4096 || len(e.ID) > 4096 || strings.ContainsAny(e.Name+e.ID+e.Data, "\r\x00") {
				t.Errorf("%q", e)
			}
		}
		if total > len(text) {
			t.Errorf("%d bytes of data out of %d", total, len(text))
		}
	})
}

// Whatever is published, a set never holds what was not revoked.
func FuzzList(f *testing.F) {
	f.Add([]byte(`{"epoch":"e","seq":1,"entries":[{"seq":1,"kind":"token","value":"a","before":0,"until":9999999999}]}`))
	f.Add([]byte(`{"epoch":"e","seq":1,"entries":[{"seq":1,"kind":"all","value":"","before":1,"until":9999999999}]}`))
	f.Add([]byte(`{"epoch":"e","epoch":"f","seq":-1,"entries":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := token.NewRevocations(token.RevocationsConfig{
			URL: "https://i.test/r", Token: func(context.Context) (string, error) { return "t", nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Replace(data); err != nil && r.Status().Entries != 0 {
			t.Errorf("half a list was taken: %v", err)
		}
		if r.Revoked(&token.Principal{TokenID: "\x00", Issued: time.Unix(253402300799, 0)}) && !strings.Contains(string(data), "all") {
			t.Error("what was not revoked is")
		}
	})
}
