package token_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// noted is a set of n revocations that concern nobody here.
func noted(n int) *token.Revocations {
	r := token.NewLocalRevocations()
	for i := range n {
		r.Add(token.Revocation{Seq: int64(i) + 1, Kind: token.RevokeToken, Value: fmt.Sprint("other-", i), Until: inAnHour()})
	}
	return r
}

// BenchmarkWarmBearer is the check of a token that was seen before, beside what
// it cannot do without: the hash by which the token is found, since the token
// itself is not kept.
func BenchmarkWarmBearer(b *testing.B) {
	issuer := tokentest.New(b)
	verifier, raw, ctx, now := watched(b, issuer, noted(10_000)), issuer.Mint(nil), b.Context(), time.Now()
	text := []byte(raw)
	hash := 0.0
	b.Run("hash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = sha256.Sum256(text)
		}
		hash = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	})
	b.Run("bearer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := verifier.Verify(ctx, raw, now); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/hash, "x-hash")
	})
}

func BenchmarkVerifyHit(b *testing.B) {
	issuer := tokentest.New(b)
	for name, r := range map[string]*token.Revocations{"followed": noted(10_000), "unfollowed": nil} {
		b.Run(name, func(b *testing.B) {
			verifier, raw, now := watched(b, issuer, r), issuer.Mint(nil), time.Now()
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(ctx, raw, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyChanged is a hit after each of which something was revoked.
func BenchmarkVerifyChanged(b *testing.B) {
	issuer, r := tokentest.New(b), noted(10_000)
	verifier, raw, now := watched(b, issuer, r), issuer.Mint(nil), time.Now()
	ctx, v := b.Context(), token.Revocation{Seq: 1, Kind: token.RevokeToken, Value: "other-1", Until: inAnHour()}
	for b.Loop() {
		r.Add(v)
		if _, err := verifier.Verify(ctx, raw, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyMiss(b *testing.B) {
	issuer := tokentest.New(b)
	cfg := issuer.Config()
	cfg.Revocations = noted(10_000)
	keys, err := token.NewIssuer(cfg)
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{keys}, CacheEntries: 1})
	if err != nil {
		b.Fatal(err)
	}
	var raws []string // twice as many as the cache holds, in turn: none is there any more
	for range 16 {
		raws = append(raws, issuer.Mint(nil))
	}
	ctx, now := b.Context(), time.Now()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := verifier.Verify(ctx, raws[n%len(raws)], now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExchangerHit(b *testing.B) {
	issuer := tokentest.New(b)
	e, _ := trades(b, issuer, nil)
	subject, ctx := issuer.Mint(nil), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Token(ctx, subject); err != nil {
			b.Fatal(err)
		}
	}
}
