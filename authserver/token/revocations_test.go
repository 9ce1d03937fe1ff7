package token_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// watched is a verifier that heeds r and asks no network for keys.
func watched(t testing.TB, issuer *tokentest.Issuer, r *token.Revocations) *token.Verifier {
	t.Helper()
	cfg := issuer.Config()
	cfg.Revocations, cfg.Keys = r, func(context.Context) ([]byte, error) { return []byte(set(issuer.Key())), nil }
	keys, err := token.NewIssuer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{keys}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func inAnHour() int64 { return time.Now().Add(time.Hour).Unix() }

func TestWhatARevocationEnds(t *testing.T) {
	issuer, now := tokentest.New(t), time.Now().Unix()
	raw := issuer.Mint(claims{
		"sub": "g-7", "client_id": "reservations", "jti": "t-9", "lineage": []string{"grant-1", "t-8"}, "iat": now,
		"act": claims{"sub": "reservations", "act": claims{"sub": "gateway"}},
	})
	for _, c := range []struct {
		name        string
		kind, value string
		before      int64
		ends        bool
	}{
		{"the token by its id", token.RevokeToken, "t-9", 0, true},
		{"the token it was made from", token.RevokeToken, "t-8", 0, true},
		{"the sign-in it was made from", token.RevokeToken, "grant-1", 0, true},
		{"another token", token.RevokeToken, "t-7", 0, false},
		{"a token named as its subject is", token.RevokeToken, "g-7", 0, false},
		{"its client", token.RevokeClient, "reservations", now, true},
		{"a client that acts in it", token.RevokeClient, "gateway", now, true},
		{"its client, before it was issued", token.RevokeClient, "reservations", now - 1, false},
		{"an actor, before it was issued", token.RevokeClient, "gateway", now - 1, false},
		{"a client named as its subject is", token.RevokeClient, "g-7", now, false},
		{"its subject", token.RevokeSubject, "g-7", now, true},
		{"its subject, before it was issued", token.RevokeSubject, "g-7", now - 1, false},
		{"a subject named as its client is", token.RevokeSubject, "gateway", now, false},
		{"its key", token.RevokeKey, issuer.Key().KeyID, 0, true},
		{"another key", token.RevokeKey, "k-0", 0, false},
		{"everything", token.RevokeAll, "", now, true},
		{"everything, before it was issued", token.RevokeAll, "", now - 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			revocations := token.NewLocalRevocations()
			warm, cold := watched(t, issuer, revocations), watched(t, issuer, revocations)
			if _, err := warm.Verify(t.Context(), raw, time.Now()); err != nil {
				t.Fatal(err)
			}
			revocations.Add(token.Revocation{Seq: 1, Kind: c.kind, Value: c.value, Before: c.before, Until: inAnHour()})
			for name, verifier := range map[string]*token.Verifier{"remembered": warm, "new": cold} {
				for range 2 {
					p, err := verifier.Verify(t.Context(), raw, time.Now())
					if (err != nil) != c.ends {
						t.Fatalf("a %s token: %v", name, err)
					}
					denial, _ := errors.AsType[*problem.Problem](err)
					if c.ends && (p != nil || denial.Code != problem.InvalidToken || denial.Detail != "The access token has been revoked.") {
						t.Errorf("a %s token: %+v, %v", name, p, err)
					}
				}
			}
		})
	}
}

func TestARevocationDoesNotUndoAnother(t *testing.T) {
	issuer, now := tokentest.New(t), time.Now().Unix()
	revocations := token.NewLocalRevocations()
	verifier := watched(t, issuer, revocations)
	revocations.Add(
		token.Revocation{Seq: 1, Kind: token.RevokeSubject, Value: "g-7", Before: now, Until: inAnHour()},
		token.Revocation{Seq: 2, Kind: token.RevokeSubject, Value: "g-7", Before: now - 100, Until: now + 1},
	)
	if _, err := verifier.Verify(t.Context(), issuer.Mint(claims{"iat": now}), time.Now()); codeOf(err) != problem.InvalidToken {
		t.Errorf("an older revocation took the newer one's place: %v", err)
	}
	if s := revocations.Status(); s.Entries != 1 || s.Seq != 2 || s.Stale {
		t.Errorf("%+v", s)
	}
}

func TestWhatCannotBeObeyedEndsAllTrust(t *testing.T) {
	issuer := tokentest.New(t)
	for name, c := range map[string]struct {
		v       token.Revocation
		because string
	}{
		"an unknown kind":           {token.Revocation{Seq: 1, Kind: "planet", Value: "x", Until: inAnHour()}, `"planet"`},
		"nobody":                    {token.Revocation{Seq: 1, Kind: token.RevokeClient, Until: inAnHour()}, "is empty"},
		"all tokens of someone":     {token.Revocation{Seq: 1, Kind: token.RevokeAll, Value: "x", Until: inAnHour()}, "names"},
		"a time beyond all":         {token.Revocation{Seq: 1, Kind: token.RevokeAll, Before: 1 << 62, Until: inAnHour()}, "out of bounds"},
		"no end":                    {token.Revocation{Seq: 1, Kind: token.RevokeToken, Value: "x"}, "out of bounds"},
		"one more than can be kept": {token.Revocation{Seq: 1, Kind: token.RevokeToken, Value: "x", Until: inAnHour()}, "more than 1000000"},
	} {
		t.Run(name, func(t *testing.T) {
			revocations := token.NewLocalRevocations()
			if strings.Contains(c.because, "1000000") {
				revocations.Fill(1_000_000, inAnHour())
			}
			revocations.Add(c.v)
			_, err := watched(t, issuer, revocations).Verify(t.Context(), issuer.Mint(nil), time.Now())
			if codeOf(err) != problem.IssuerUnavailable || !strings.Contains(err.Error(), c.because) {
				t.Errorf("a token passed, or was refused because of %v", err)
			}
			if s := revocations.Status(); !s.Incomplete || !s.Stale || s.Err == nil {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestWhatEndedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		revocations := token.NewLocalRevocations()
		revocations.Fill(5000, time.Now().Add(time.Minute).Unix())
		late := token.Revocation{Seq: 1, Kind: token.RevokeToken, Value: "late", Until: inAnHour()}
		revocations.Add(late)
		if n := revocations.Status().Entries; n != 5001 {
			t.Fatalf("%d are kept", n)
		}
		time.Sleep(61 * time.Second)
		revocations.Add(late, token.Revocation{Seq: 2, Kind: token.RevokeToken, Value: "over", Until: time.Now().Unix()})
		revocations.Add(token.Revocation{Seq: 3, Kind: token.RevokeToken, Value: "over, too", Until: time.Now().Unix()})
		if n := revocations.Status().Entries; n != 1 {
			t.Errorf("%d are kept", n)
		}
		if !revocations.Revoked(&token.Principal{TokenID: "late"}) {
			t.Error("one that still lives was forgotten")
		}
	})
}

func TestRevocationsThatCannotBeSafeAreRefused(t *testing.T) {
	bearer := func(context.Context) (string, error) { return "t", nil }
	for name, c := range map[string]struct {
		cfg     token.RevocationsConfig
		because string
	}{
		"http beyond this host": {token.RevocationsConfig{URL: "http://i.test/r", Token: bearer}, "https"},
		"no token":              {token.RevocationsConfig{URL: "https://i.test/r"}, "token"},
		"stale at once":         {token.RevocationsConfig{URL: "https://i.test/r", Token: bearer, Stale: time.Second}, "too soon"},
		"an unknown policy":     {token.RevocationsConfig{URL: "https://i.test/r", Token: bearer, Then: "hope"}, `"hope"`},
	} {
		if _, err := token.NewRevocations(c.cfg); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// lost is a verifier whose issuer's revocations nobody has ever heard of.
func lost(t *testing.T, issuer *tokentest.Issuer, then string) (*token.Verifier, *token.Revocations) {
	t.Helper()
	r, err := token.NewRevocations(token.RevocationsConfig{
		URL: "https://i.test/r", HTTP: &http.Client{Transport: silent{}}, Then: then,
		Token: func(context.Context) (string, error) { return "t", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return watched(t, issuer, r), r
}

func TestTheFirstListIsWaitedForTwoSecondsInAll(t *testing.T) {
	issuer := tokentest.New(t)
	for then, want := range map[string]problem.Code{token.StaleDeny: problem.IssuerUnavailable, token.StaleAllow: ""} {
		synctest.Test(t, func(t *testing.T) {
			verifier, r := lost(t, issuer, then)
			begin := time.Now()
			for range 3 {
				_, err := verifier.Verify(t.Context(), issuer.Mint(nil), time.Now())
				if codeOf(err) != want {
					t.Fatalf("%s: %v", then, err)
				}
				if p, ok := errors.AsType[*problem.Problem](err); ok && p.Header.Get("Retry-After") == "" {
					t.Error("nothing says when to come again")
				}
			}
			if took := time.Since(begin); took != 2*time.Second {
				t.Errorf("%s: three requests waited %s", then, took)
			}
			if !r.Status().Stale {
				t.Errorf("%s: the status does not say stale", then)
			}
		})
	}
}
