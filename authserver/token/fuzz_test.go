package token_test

import (
	"strings"
	"testing"
	"time"

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
