//go:build !race

package token_test

import (
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// The race detector allocates, and makes pools forget on purpose.

func TestAVerifiedTokenIsFoundAgainWithoutAllocating(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, raw, now, ctx := issuer.Verifier(), issuer.Mint(nil), time.Now(), t.Context()
	if _, err := verifier.Verify(ctx, raw, now); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = verifier.Verify(ctx, raw, now) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

func TestAnOpaqueTokenIsFoundAgainWithoutAllocating(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	raw := issuer.Opaque(nil)
	if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = verifier.Verify(t.Context(), raw, clock.at) }); n > 1 {
		t.Errorf("a hit allocates %v times", n) // one is t.Context
	}
}

func TestAKnownExchangeCostsNoAllocation(t *testing.T) {
	issuer := tokentest.New(t)
	e, _ := trades(t, issuer, nil)
	subject, ctx := issuer.Mint(nil), t.Context()
	trade(t, e, subject)
	if n := testing.AllocsPerRun(1000, func() { _, _ = e.Token(ctx, subject) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestARememberedTokenAllocatesNothingMoreWithRevocations(t *testing.T) {
	issuer := tokentest.New(t)
	revocations := token.NewLocalRevocations()
	for n := range int64(1000) {
		revocations.Add(token.Revocation{Seq: n + 1, Kind: token.RevokeToken, Value: "other-" + time.Duration(n).String(), Until: inAnHour()})
	}
	verifier, raw, now, ctx := watched(t, issuer, revocations), issuer.Mint(nil), time.Now(), t.Context()
	if _, err := verifier.Verify(ctx, raw, now); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = verifier.Verify(ctx, raw, now) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

func TestAHeldTokenIsGivenWithoutAllocating(t *testing.T) {
	s, _ := asks(t, tokentest.New(t), nil)
	get(t, s)
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Token(ctx) }); n != 0 {
		t.Errorf("a held token costs %v allocations", n)
	}
}
