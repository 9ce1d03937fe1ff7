package token_test

import (
	"fmt"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// A flood of good tokens, by whoever may have as many as it likes, against the
// tokens of the others that are in use. The cache has its usual size, and is half
// full of the others'.
func TestAFloodOfGoodTokensPushesOutItsOwn(t *testing.T) {
	const entries = floodEntries
	flood, others := 6*entries, entries/2
	for _, c := range []struct {
		name string
		// whose are a token of the flood, the nth.
		subject, client func(n int) string
		again           int     // how often each is used again
		keeps           float64 // of the others' tokens, at least
	}{
		{"of one subject", func(int) string { return "mallory" }, func(int) string { return "app" }, 0, 0.96},
		{"of one subject of the same client as all others, each used twice", func(int) string { return "mallory" }, func(int) string { return "booking" }, 1, 0.96},
		{"of ever new subjects of one client", func(n int) string { return fmt.Sprint("m-", n) }, func(int) string { return "app" }, 0, 0.96},
		{"of ever new subjects of one client, each used twice", func(n int) string { return fmt.Sprint("m-", n) }, func(int) string { return "app" }, 1, 0.70},
	} {
		t.Run(c.name, func(t *testing.T) {
			issuer := tokentest.New(t)
			keys, err := token.NewIssuer(issuer.Config())
			if err != nil {
				t.Fatal(err)
			}
			v, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{keys}, CacheEntries: entries})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			if _, err := v.Verify(t.Context(), issuer.Mint(nil), now); err != nil { // the keys are there
				t.Fatal(err)
			}
			put := func(raw, subject, client string, again int) {
				v.Keep(raw, &token.Principal{Issuer: "hotel", Subject: subject, Client: client, Expires: now.Add(time.Hour)}, now)
				for range again {
					v.Cache(raw, now)
				}
			}
			for n := range others {
				put(fmt.Sprint("good-", n), fmt.Sprint("g-", n), "booking", 2)
			}
			begun := 0
			for n := range others {
				if v.Cache(fmt.Sprint("good-", n), now) {
					begun++
				}
			}
			for n := range flood {
				put(fmt.Sprint("flood-", n), c.subject(n), c.client(n), c.again)
			}
			kept := 0
			for n := range others {
				if v.Cache(fmt.Sprint("good-", n), now) {
					kept++
				}
			}
			t.Logf("of %d tokens of others, %d are still there after %d", begun, kept, flood)
			if share := float64(kept) / float64(begun); share < c.keeps {
				t.Errorf("only %.1f %% of the others' tokens are left", 100*share)
			}
		})
	}
}

// Only what was verified is remembered: whatever is sent, the cache stays as it is.
func TestNothingThatIsRefusedEntersTheCache(t *testing.T) {
	issuer, stranger := tokentest.New(t), tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	if _, err := verifier.Verify(t.Context(), issuer.Mint(nil), clock.Now()); err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks(stranger) {
		_, _ = verifier.Verify(t.Context(), a.make(issuer), clock.Now())
	}
	for n := range 200 {
		_, _ = verifier.Verify(t.Context(), fmt.Sprint("made-up-", n), clock.Now())
	}
	if n := verifier.Cached(); n != 1 {
		t.Errorf("%d tokens are remembered, not the one that is good", n)
	}
}
