package token_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// keysAfter is a network on which an issuer's keys come after a while, by the
// clock of the test's bubble; it counts who asks.
type keysAfter struct {
	issuer *tokentest.Issuer
	while  time.Duration
	broken atomic.Bool
	asked  atomic.Int64
}

func (k *keysAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	k.asked.Add(1)
	select {
	case <-time.After(k.while):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if k.broken.Load() {
		return replies(500, "text/plain", "no"), nil
	}
	return replies(200, "application/json", set(k.issuer.Key())), nil
}

// withKid is a token as raw, but of a key of another name.
func withKid(raw, kid string) string {
	head, _ := json.Marshal(claims{"alg": "ES256", "kid": kid, "typ": "at+jwt"})
	_, rest, _ := strings.Cut(raw, ".")
	return base64.RawURLEncoding.EncodeToString(head) + "." + rest
}

// An attacker sends ten thousand tokens with made-up key ids and bad signatures
// while the issuer takes a second and a half to show its keys. Who has a known key
// waits for nothing; a handful of the others waits; the issuer is asked once.
func TestTenThousandHostileTokensMakeOneFetchAndStallNobody(t *testing.T) {
	issuer := tokentest.New(t)
	good := issuer.Mint(nil)
	bad := good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 86)
	var honest []string
	for n := range 300 {
		honest = append(honest, issuer.Mint(claims{"jti": fmt.Sprint(n)}))
	}
	synctest.Test(t, func(t *testing.T) {
		keys := &keysAfter{issuer: issuer}
		cfg := issuer.Config()
		cfg.JWKS, cfg.HTTP, cfg.Now = issuer.URL+"/jwks", &http.Client{Transport: keys}, time.Now
		verifier, at := verifierOf(t, cfg), issuedAt(good)
		if _, err := verifier.Verify(t.Context(), good, at); err != nil {
			t.Fatal(err)
		}
		for wave, each := range []int{100, 2, 2} {
			time.Sleep(11 * time.Second) // the cool-down is over
			keys.while = 1500 * time.Millisecond
			var waited, at503, at401 atomic.Int64
			var all sync.WaitGroup
			for g := range 100 {
				all.Go(func() {
					for n := range each {
						raw, begin := bad, time.Now()
						if n%10 != 0 { // a bad signature takes a millisecond to find out here
							raw = withKid(good, fmt.Sprint(wave, g, n))
						}
						_, err := verifier.Verify(t.Context(), raw, at)
						switch codeOf(err) {
						case problem.InvalidToken:
							at401.Add(1)
						case problem.IssuerUnavailable: // the key may be the issuer's newest
							at503.Add(1)
						default:
							t.Errorf("a hostile token gave %v", err)
						}
						if time.Since(begin) > 0 {
							waited.Add(1)
						}
					}
				})
				all.Go(func() {
					begin := time.Now()
					if _, err := verifier.Verify(t.Context(), honest[100*wave+g], at); err != nil || time.Since(begin) > 0 {
						t.Errorf("an honest token waited %s: %v", time.Since(begin), err)
					}
				})
			}
			all.Wait()
			if n := keys.asked.Load(); n != int64(wave)+2 {
				t.Errorf("%d fetches after wave %d", n, wave)
			}
			if n := waited.Load(); n > 16 {
				t.Errorf("%d hostile requests waited", n)
			}
			t.Logf("wave %d: %d waited, %d got 401 and %d got 503 at once", wave, waited.Load(), at401.Load(), at503.Load())
		}
	})
}

// Its keys known, an issuer that fails is not asked more often than one that
// answers, whatever is sent.
func TestAFailingIssuerIsAskedOnceInACoolDownToo(t *testing.T) {
	issuer := tokentest.New(t)
	good := issuer.Mint(nil)
	synctest.Test(t, func(t *testing.T) {
		keys := &keysAfter{issuer: issuer}
		cfg := issuer.Config()
		cfg.JWKS, cfg.HTTP, cfg.Now = issuer.URL+"/jwks", &http.Client{Transport: keys}, time.Now
		verifier, at := verifierOf(t, cfg), issuedAt(good)
		if _, err := verifier.Verify(t.Context(), good, at); err != nil {
			t.Fatal(err)
		}
		keys.broken.Store(true)
		keys.asked.Store(0)
		time.Sleep(10 * time.Second)
		for n := range 500 { // fifty seconds
			_, _ = verifier.Verify(t.Context(), withKid(good, fmt.Sprint(n)), at)
			if _, err := verifier.Verify(t.Context(), good, at); err != nil {
				t.Fatalf("an honest token: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		const tries = 3 // of one fetch
		if n := keys.asked.Load(); n > 6*tries {
			t.Errorf("in fifty seconds the issuer was asked %d times", n)
		}
	})
}

// While an issuer that nobody has keys of is silent, requests wait for it two
// seconds at most, and no more than a thousand of them.
func TestThoseWhoWaitForTheFirstKeysAreBounded(t *testing.T) {
	issuer := tokentest.New(t)
	good := issuer.Mint(nil)
	synctest.Test(t, func(t *testing.T) {
		cfg := issuer.Config()
		cfg.HTTP, cfg.Now = &http.Client{Transport: silent{}}, time.Now
		verifier, at := verifierOf(t, cfg), issuedAt(good)
		var waited atomic.Int64
		var all sync.WaitGroup
		for range 3000 {
			all.Go(func() {
				begin := time.Now()
				if _, err := verifier.Verify(t.Context(), good, at); codeOf(err) != problem.IssuerUnavailable {
					t.Errorf("%v", err)
				}
				if time.Since(begin) > 0 {
					waited.Add(1)
				}
			})
		}
		all.Wait()
		if n := waited.Load(); n > 1024 {
			t.Errorf("%d requests waited at once", n)
		}
		time.Sleep(time.Minute) // the flight ends
	})
}
