package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// aged is a verifier of issuer whose keys age by a clock of the test's.
func aged(t *testing.T, issuer *tokentest.Issuer) (*token.Verifier, *clock) {
	t.Helper()
	c := newClock()
	cfg := issuer.Config()
	cfg.Now = c.Now
	return verifierOf(t, cfg), c
}

func verifierOf(t *testing.T, cfg token.IssuerConfig) *token.Verifier {
	t.Helper()
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

func codeOf(err error) problem.Code {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Code
	}
	return ""
}

// long is a token that outlives the waits of a test.
func long(i *tokentest.Issuer, sub string) string {
	return i.Mint(claims{"sub": sub, "exp": time.Now().Add(time.Hour).Unix()})
}

func TestAStormOfUnknownKeysMakesOneFetchInTenSeconds(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := aged(t, issuer)
	storm := func() {
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for n := range 100 {
					raw := issuer.MintRaw(claims{"kid": fmt.Sprint(g, "-", n)}, payload(issuer))
					if _, err := verifier.Verify(t.Context(), raw, time.Now()); codeOf(err) != problem.InvalidToken {
						t.Errorf("an unknown key gave %v", err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	storm()
	if n := issuer.Fetches(); n != 1 {
		t.Errorf("the storm made %d fetches", n)
	}
	clock.pass(10 * time.Second)
	storm()
	if n := issuer.Fetches(); n != 2 {
		t.Errorf("after the cool-down the storm has made %d fetches, not 2", n)
	}
}

func TestABadSignatureNeverFetches(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := aged(t, issuer)
	good := issuer.Mint(nil)
	if _, err := verifier.Verify(t.Context(), good, time.Now()); err != nil {
		t.Fatal(err)
	}
	clock.pass(11 * time.Second)
	bad := good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 86)
	for range 50 {
		if _, err := verifier.Verify(t.Context(), bad, time.Now()); codeOf(err) != problem.InvalidToken {
			t.Fatal(err)
		}
	}
	if n := issuer.Fetches(); n != 1 {
		t.Errorf("bad signatures made %d fetches", n-1)
	}
}

func TestANewKeyIsFoundAtOnceAndTheOldOneDies(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := aged(t, issuer)
	old := long(issuer, "old")
	if _, err := verifier.Verify(t.Context(), old, time.Now()); err != nil {
		t.Fatal(err)
	}
	issuer.Rotate()
	clock.pass(10 * time.Second)
	if _, err := verifier.Verify(t.Context(), long(issuer, "new"), time.Now()); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if _, err := verifier.Verify(t.Context(), old, time.Now()); codeOf(err) != problem.InvalidToken {
		t.Errorf("a remembered token of the removed key: %v", err)
	}
}

func TestARemovedKeyDiesEvenIfOnlyItsTokensCome(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := aged(t, issuer)
	raw := long(issuer, "g-7")
	if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
		t.Fatal(err)
	}
	issuer.Rotate()
	clock.pass(6 * time.Minute) // five, and a tenth of jitter
	if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
		t.Errorf("nobody waits for the refresh: %v", err)
	}
	verifier.Settle()
	if _, err := verifier.Verify(t.Context(), raw, clock.Now()); codeOf(err) != problem.InvalidToken {
		t.Errorf("after the refresh: %v", err)
	}
}

func TestWhileTheIssuerIsDownItsKeysAreUsedForAnHour(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := aged(t, issuer)
	if _, err := verifier.Verify(t.Context(), issuer.Mint(nil), time.Now()); err != nil {
		t.Fatal(err)
	}
	issuer.Down()
	clock.pass(59 * time.Minute)
	if _, err := verifier.Verify(t.Context(), issuer.Mint(claims{"sub": "another"}), time.Now()); err != nil {
		t.Errorf("after 59 minutes: %v", err)
	}
	clock.pass(2 * time.Minute)
	_, err := verifier.Verify(t.Context(), issuer.Mint(claims{"sub": "a third"}), time.Now())
	if codeOf(err) != problem.IssuerUnavailable {
		t.Errorf("after 61 minutes: %v", err)
	}
}

func TestAnIssuerMayBeDownAtFirstAndComeLater(t *testing.T) {
	issuer := tokentest.New(t)
	issuer.Down()
	verifier, clock := aged(t, issuer)
	_, err := verifier.Verify(t.Context(), issuer.Mint(nil), time.Now())
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.IssuerUnavailable || p.Header.Get("Retry-After") == "" {
		t.Fatalf("while the issuer is down: %v", err)
	}
	issuer.Up()
	clock.pass(10 * time.Second)
	if _, err := verifier.Verify(t.Context(), issuer.Mint(nil), time.Now()); err != nil {
		t.Errorf("once the issuer is up: %v", err)
	}
}

// silent is a network in which nobody ever answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestNoRequestWaitsLongerThanTwoSecondsForKeys(t *testing.T) {
	issuer := tokentest.New(t)
	raw := issuer.Mint(nil)
	synctest.Test(t, func(t *testing.T) {
		cfg := issuer.Config()
		cfg.HTTP = &http.Client{Transport: silent{}}
		// The bubble's clock begins in 2000; the token is of today.
		real := time.Now()
		verifier := verifierOf(t, cfg)
		_, err := verifier.Verify(t.Context(), raw, issuedAt(raw))
		if codeOf(err) != problem.IssuerUnavailable || time.Since(real) != 2*time.Second {
			t.Errorf("after %s: %v", time.Since(real), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		real = time.Now()
		if _, err = verifier.Verify(ctx, raw, issuedAt(raw)); time.Since(real) != time.Second {
			t.Errorf("a caller with one second waited %s: %v", time.Since(real), err)
		}
		time.Sleep(time.Minute) // the flights end
	})
}

func issuedAt(raw string) time.Time {
	var c struct {
		IAT int64 `json:"iat"`
	}
	if err := json.Unmarshal(part(raw, 1), &c); err != nil {
		panic(err)
	}
	return time.Unix(c.IAT, 0)
}

func TestWarmFetchesAheadAndTellsWhyNot(t *testing.T) {
	issuer := tokentest.New(t)
	keys, err := token.NewIssuer(issuer.Config())
	if err != nil {
		t.Fatal(err)
	}
	if s := keys.Status(); s.Usable || s.Keys != 0 {
		t.Errorf("before: %+v", s)
	}
	if err := keys.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := keys.Status(); !s.Usable || s.Keys != 2 || s.Err != nil {
		t.Errorf("after: %+v", s)
	}
	cold := tokentest.New(t)
	cold.Down()
	if keys, err = token.NewIssuer(cold.Config()); err != nil {
		t.Fatal(err)
	}
	if err := keys.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), `"hotel"`) {
		t.Errorf("an issuer that is down: %v", err)
	}
}

func TestIssuersThatCannotBeSafeAreRefused(t *testing.T) {
	good := token.IssuerConfig{Name: "n", URL: "https://i.test", Audience: "a"}
	for name, c := range map[string]struct {
		change  func(*token.IssuerConfig)
		because string
	}{
		"no name":              {func(c *token.IssuerConfig) { c.Name = "" }, "name"},
		"no audience":          {func(c *token.IssuerConfig) { c.Audience = "" }, "audience"},
		"one audience and any": {func(c *token.IssuerConfig) { c.DangerouslyAnyAudience = true }, "contradict"},
		"keys from two places": {func(c *token.IssuerConfig) {
			c.JWKS, c.Keys = "https://i.test/jwks", func(context.Context) ([]byte, error) { return nil, nil }
		}, "both from this process"},
		"http beyond this host": {func(c *token.IssuerConfig) { c.URL = "http://i.test" }, "https"},
		"http key set":          {func(c *token.IssuerConfig) { c.JWKS = "http://i.test/jwks" }, "https"},
		"a URL with a password": {func(c *token.IssuerConfig) { c.URL = "https://u:p@i.test" }, "not the URL"},
		"alg none":              {func(c *token.IssuerConfig) { c.Algorithms = []string{"none"} }, `"none"`},
		"a symmetric alg":       {func(c *token.IssuerConfig) { c.Algorithms = []string{"ES256", "HS256"} }, `"HS256"`},
		"an unknown profile":    {func(c *token.IssuerConfig) { c.Profile = "jwt2" }, `"jwt2"`},
		"profile jwt without what tells ID tokens apart": {func(c *token.IssuerConfig) { c.Profile = "jwt" }, "ID tokens"},
	} {
		cfg := good
		c.change(&cfg)
		if _, err := token.NewIssuer(cfg); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := token.NewIssuer(good); err != nil {
		t.Error(err)
	}
}

func TestTwoIssuersOfOneURLAreRefused(t *testing.T) {
	one, err := token.NewIssuer(token.IssuerConfig{Name: "one", URL: "https://i.test", Audience: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{one, one}}); err == nil {
		t.Error("accepted")
	}
	if _, err := token.NewVerifier(token.VerifierConfig{}); err == nil {
		t.Error("a verifier without issuers was accepted")
	}
}

func TestKeysOfThisProcessAreTakenWithoutAFetch(t *testing.T) {
	issuer := tokentest.New(t)
	cfg := issuer.Config()
	cfg.Audience, cfg.DangerouslyAnyAudience = "", true
	keys, failure := set(issuer.Key()), error(nil)
	cfg.Keys = func(context.Context) ([]byte, error) { return []byte(keys), failure }
	verifier := verifierOf(t, cfg)
	verify := func(raw string) error {
		_, err := verifier.Verify(t.Context(), raw, time.Now())
		return err
	}
	for _, audience := range []string{"reservations", "https://elsewhere.test"} {
		if err := verify(issuer.Mint(claims{"aud": audience})); err != nil {
			t.Errorf("audience %q: %v", audience, err)
		}
	}
	if err := verify(issuer.Mint(claims{"aud": nil})); codeOf(err) != problem.InvalidToken {
		t.Errorf("a token for nobody: %v", err)
	}
	old := issuer.Mint(nil)
	issuer.Rotate()
	keys = set(issuer.Key())
	if err := verify(issuer.Mint(nil)); err != nil {
		t.Errorf("a token of a key that was made this moment: %v", err)
	}
	if err := verify(old); codeOf(err) != problem.InvalidToken {
		t.Errorf("a token of the key that is gone: %v", err)
	}
	issuer.Rotate()
	failure = errors.New("the key ring is closed")
	if err := verify(issuer.Mint(nil)); codeOf(err) != problem.IssuerUnavailable || !strings.Contains(err.Error(), "closed") {
		t.Errorf("without keys: %v", err)
	}
	if n := issuer.Fetches(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}
