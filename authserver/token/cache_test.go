package token_test

import (
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

func TestAVerifiedTokenIsFoundAgain(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, raw, now := issuer.Verifier(), issuer.Mint(nil), time.Now()
	first, err := verifier.Verify(t.Context(), raw, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := verifier.Verify(t.Context(), raw, now)
	if err != nil || again != first {
		t.Fatalf("the second look gave %p, not %p: %v", again, first, err)
	}
}

func TestAVerificationIsTrustedForAMinute(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, raw, now := issuer.Verifier(), issuer.Mint(nil), time.Now()
	look := func(at time.Time) *token.Principal {
		t.Helper()
		p, err := verifier.Verify(t.Context(), raw, at)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := look(now)
	if look(now.Add(59*time.Second)) != first {
		t.Error("after 59 seconds the token was verified again")
	}
	if look(now.Add(time.Minute)) == first {
		t.Error("after a minute the token was not verified again")
	}
}

func TestAFullCacheStaysBoundedAndRight(t *testing.T) {
	issuer := tokentest.New(t)
	keys, err := token.NewIssuer(issuer.Config())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{keys}, CacheEntries: 8})
	if err != nil {
		t.Fatal(err)
	}
	raws := map[string]string{}
	for _, sub := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"} {
		raws[sub] = issuer.Mint(claims{"sub": sub})
	}
	for range 3 {
		for sub, raw := range raws {
			p, err := verifier.Verify(t.Context(), raw, time.Now())
			if err != nil || p.Subject != sub {
				t.Fatalf("the token of %q gave %+v, %v", sub, p, err)
			}
		}
	}
	if n := verifier.Cached(); n != 8 {
		t.Errorf("%d tokens are remembered, not 8", n)
	}
}
