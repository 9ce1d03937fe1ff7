package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// poisoned is an issuer whose key set falls into an attacker's hands. It is
// spoken to without TLS, which policy allows on this machine.
type poisoned struct {
	*httptest.Server
	t       *testing.T
	key     *ecdsa.PrivateKey
	poison  func(http.ResponseWriter, *http.Request)
	spoilt  atomic.Bool
	fetches atomic.Int64 // since it was spoilt
}

func newPoisoned(t *testing.T, poison func(*poisoned) func(http.ResponseWriter, *http.Request)) *poisoned {
	t.Helper()
	p := &poisoned{t: t}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	p.poison = poison(p)
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *poisoned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.spoilt.Load() {
		p.fetches.Add(1)
		p.poison(w, r)
		return
	}
	p.set(w, p.public("good"))
}

func (p *poisoned) public(kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: p.key.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

func (p *poisoned) set(w http.ResponseWriter, keys ...jose.JSONWebKey) {
	data, err := encode(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // the verifier's loss
}

// token is signed with any key, and says that it was with the one named kid.
func (p *poisoned) token(alg jose.SignatureAlgorithm, key any, kid string) string {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", kid))
	if err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	raw, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": p.URL, "sub": "g-7", "aud": audience, "client_id": "suite", "scope": "e2e search:read", "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return raw
}

// TestAPoisonedKeySetHarmsNobody: each issuer gives good keys first, then poison
// of its kind. The gateway and the token service keep what was good, within
// bounds, and believe nothing else.
func TestAPoisonedKeySetHarmsNobody(t *testing.T) {
	t.Parallel()
	symmetric := []byte(strings.Repeat("known to everybody. ", 4))
	var visits, wrote atomic.Int64
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(canary.Close)
	type handler = func(http.ResponseWriter, *http.Request)
	text := func(status int, body string) func(*poisoned) handler {
		return func(*poisoned) handler {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
		}
	}
	kinds := map[string]func(*poisoned) handler{
		"symmetric": func(p *poisoned) handler {
			return func(w http.ResponseWriter, _ *http.Request) {
				p.set(w, jose.JSONWebKey{Key: symmetric, KeyID: "evil", Algorithm: "HS256", Use: "sig"}, jose.JSONWebKey{Key: symmetric, KeyID: "good", Algorithm: "ES256", Use: "sig"})
			}
		},
		"private": func(p *poisoned) handler {
			return func(w http.ResponseWriter, _ *http.Request) {
				p.set(w, jose.JSONWebKey{Key: p.key, KeyID: "good", Algorithm: "ES256", Use: "sig"})
			}
		},
		"mixed": func(p *poisoned) handler {
			return func(w http.ResponseWriter, _ *http.Request) {
				encryption := p.public("evil")
				encryption.Use = "enc"
				p.set(w, p.public("good"), encryption, jose.JSONWebKey{Key: symmetric, KeyID: "evil", Algorithm: "HS256"}, jose.JSONWebKey{Key: p.key, KeyID: "evil", Algorithm: "ES256"})
			}
		},
		"many": func(p *poisoned) handler {
			keys := make([]jose.JSONWebKey, 10_000)
			for i := range keys {
				keys[i] = p.public(fmt.Sprint(i))
			}
			return func(w http.ResponseWriter, _ *http.Request) { p.set(w, keys...) }
		},
		"twins": func(p *poisoned) handler {
			return func(w http.ResponseWriter, _ *http.Request) { p.set(w, p.public("evil"), p.public("evil")) }
		},
		"endless": func(*poisoned) handler {
			return func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"keys":[{"x":"`)
				for chunk := []byte(strings.Repeat("a", 64<<10)); wrote.Load() < 100<<20; wrote.Add(int64(len(chunk))) {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			}
		},
		"slow": func(*poisoned) handler {
			return func(w http.ResponseWriter, r *http.Request) {
				tick := time.NewTicker(200 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						fmt.Fprint(w, " ")
						_ = http.NewResponseController(w).Flush() // until it has left
					case <-r.Context().Done():
						return
					}
				}
			}
		},
		"elsewhere": func(*poisoned) handler {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary.URL, http.StatusFound) }
		},
		"empty": text(200, `{"keys":[]}`), "html": text(200, "<!doctype html>"), "broken": text(500, "secret of a stack trace"),
	}
	s := prepare(t)
	issuers := map[string]*poisoned{}
	var policy, names strings.Builder
	for kind, poison := range kinds {
		issuers[kind] = newPoisoned(t, poison)
		fmt.Fprintf(&policy, "  - {name: %s, url: %q, jwks: %q, audience: gateway}\n", kind, issuers[kind].URL, issuers[kind].URL+"/keys")
		names.WriteString(kind + ", ")
	}
	s.write("poison.yaml", "version: 1\nissuers:\n"+policy.String()+"routes:\n  - {name: poison, match: GET /poison, upstream: backend, authenticate: ["+strings.TrimSuffix(names.String(), ", ")+"], allow: [{scopes: [e2e]}]}\n")
	s.startAuth()
	s.startGateway()
	f := newForger(s)
	both := func(raw string) (gateway, service int) {
		a, err := s.try(s.client, "GET", "/poison", raw, "")
		b, err2 := f.trySubject(raw)
		if err := errors.Join(err, err2); err != nil {
			t.Error(err)
		}
		return a.status, b.status
	}
	for kind, p := range issuers {
		if gateway, service := both(p.token(jose.ES256, p.key, "good")); gateway != 200 || service != 200 {
			t.Fatalf("%s: before: %d and %d", kind, gateway, service)
		}
		p.spoilt.Store(true)
	}
	// A key that nobody knows makes both ask again, once ten seconds have passed.
	spoilt := time.Now()
	until(t, "both may ask again", 20*time.Second, func() bool { return time.Since(spoilt) > 10*time.Second })
	until(t, "both have asked every issuer again", 60*time.Second, func() bool {
		var asked sync.WaitGroup
		done := true
		for _, p := range issuers {
			if p.fetches.Load() < 2 {
				done = false
				raw := p.token(jose.ES256, p.key, "unknown")
				asked.Go(func() { both(raw) })
			}
		}
		asked.Wait()
		return done
	})
	// What was good stays good, and nothing else becomes it. A verifier waits for
	// keys that it does not have: all at once.
	var all sync.WaitGroup
	for kind, p := range issuers {
		good := p.token(jose.ES256, p.key, "good")
		all.Go(func() {
			if gateway, service := both(good); gateway != 200 || service != 200 {
				t.Errorf("%s: a token of before: %d at the gateway, %d at the token service", kind, gateway, service)
			}
		})
		for name, raw := range map[string]string{
			"with the symmetric key": p.token(jose.HS256, symmetric, "evil"), "with the symmetric key in the name of the good one": p.token(jose.HS256, symmetric, "good"), "with a key for something else": p.token(jose.ES256, p.key, "evil"),
		} {
			all.Go(func() {
				if gateway, service := both(raw); gateway != 401 && gateway != 503 || service != 400 && service != 503 {
					t.Errorf("%s: a token %s: %d at the gateway, %d at the token service", kind, name, gateway, service)
				}
			})
		}
	}
	all.Wait()
	if visits.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if n := wrote.Load(); n > 32<<20 {
		t.Errorf("%d MiB of an endless body were read", n>>20)
	}
	if strings.Contains(s.gateway.said()+s.auth.said(), "secret of a stack trace") {
		t.Error("what an issuer answers is logged")
	}
}
