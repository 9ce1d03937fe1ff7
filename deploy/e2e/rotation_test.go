package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token"
)

// kid is the key that a token says it was signed with.
func kid(t *testing.T, raw string) string {
	t.Helper()
	var header struct{ Kid string }
	part, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(data, &header)
	}
	if err != nil || header.Kid == "" {
		t.Fatalf("%q has no kid: %v", part, err)
	}
	return header.Kid
}

// laggard is the key set as it was, as caches between us and a verifier show it.
type laggard struct {
	mu   sync.Mutex
	sets []keySet // oldest first
}

type keySet struct {
	asked time.Time // before it was answered: it is no younger than that
	data  []byte
}

// follow asks for the key set again and again.
func (l *laggard) follow(ctx context.Context, s *system) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		asked := time.Now()
		set, err := s.keySet()
		if err != nil {
			s.t.Error(err)
			return
		}
		l.mu.Lock()
		l.sets = append(l.sets, keySet{asked, []byte(set)})
		l.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// keySet is the published one.
func (s *system) keySet() (string, error) {
	res, err := s.client.Get(s.authURL + "/jwks")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var text strings.Builder
	_, err = copyTo(&text, res.Body)
	return text.String(), err
}

// old gives the oldest set that is not older than age: what the most patient
// cache still may show that keeps a set for so long.
func (l *laggard) old(age time.Duration) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.IndexFunc(l.sets, func(k keySet) bool { return time.Since(k.asked) <= age })
		if i < 0 {
			i = len(l.sets) - 1
		}
		return l.sets[i].data, nil
	}
}

// verifier checks the system's tokens with keys that are given to it.
func (s *system) verifier(keys func(context.Context) ([]byte, error)) *token.Verifier {
	s.t.Helper()
	issuer := must(token.NewIssuer(token.IssuerConfig{Name: "hotel", URL: s.authURL, Audience: audience, Keys: keys}))
	return must(token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{issuer}}))
}

// TestScheduledRotationsRefuseNoValidToken rotates every three seconds. The key
// set is shown with a max-age of five minutes, which such keys do not respect, so
// the verifiers here do not fetch it: one has a copy as old as a key's time of
// publication allows, another the newest, in which a key must still be while a
// token that it signed lives.
func TestScheduledRotationsRefuseNoValidToken(t *testing.T) {
	t.Parallel()
	const publish, margin, rotations = 2 * time.Second, 200 * time.Millisecond, 4
	d := newDesk(t, false)
	d.authArgs = append(d.authArgs, "--key-period", "3s", "--key-publish", publish.String(), "--key-keep", "6s")
	d.startAuth()
	ctx, cancel := context.WithCancel(t.Context())
	sets := &laggard{}
	var running sync.WaitGroup
	running.Go(func() { sets.follow(ctx, d.system) })
	until(t, "there is a key set", 10*time.Second, func() bool { sets.mu.Lock(); defer sets.mu.Unlock(); return len(sets.sets) > 0 })
	late, fresh := d.verifier(sets.old(publish-margin)), d.verifier(sets.old(0))
	var mu sync.Mutex
	kids := map[string]bool{}
	var tokens atomic.Int64
	for range 3 {
		client := d.newClient()
		running.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond) // other tests have work to do, too
			defer pace.Stop()
			for ; ctx.Err() == nil; <-pace.C {
				a, err := d.tryPost(client, d.authURL+"/token", d.by("fleeting", "grant_type", "client_credentials").Encode())
				if err != nil || a.status != http.StatusOK {
					t.Errorf("no token: %d %s %v", a.status, a.body, err)
					return
				}
				raw := a.granted().Access
				if _, err := late.Verify(t.Context(), raw, time.Now()); err != nil {
					t.Errorf("a verifier with a copy of the key set that is younger than %v refuses a new token: %v", publish, err)
					return
				}
				running.Go(func() { // at the end of its life
					<-time.After(2 * time.Second)
					if _, err := fresh.Verify(t.Context(), raw, time.Now()); err != nil {
						t.Errorf("the key of a token has left the key set before the token's end: %v", err)
					}
				})
				tokens.Add(1)
				mu.Lock()
				kids[kid(t, raw)] = true
				mu.Unlock()
			}
		})
	}
	until(t, "the keys were rotated", 60*time.Second, func() bool { mu.Lock(); defer mu.Unlock(); return len(kids) > rotations || t.Failed() })
	cancel()
	running.Wait()
	t.Logf("%d tokens of %d keys", tokens.Load(), len(kids))
	if out, code := d.operate("audit", "tail", "--lines", "100000", "--json"); code != 0 || strings.Count(out, `"key.promoted"`) < rotations {
		t.Errorf("the rotations are not in the audit log: exit %d", code)
	}
}

// TestRotatedAndRevokedKeysAtTheGateway: clients ask the gateway all the time,
// while a command rotates the keys and another takes one away in an emergency.
func TestRotatedAndRevokedKeysAtTheGateway(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.authArgs = append(d.authArgs, "--key-publish", "1s")
	d.startAuth()
	d.startGateway()
	knows := time.Now() // the gateway has the first two keys, and asks for others ten seconds later
	first := kid(t, d.credentials("robot", audience))
	var stolen, newest atomic.Value // the kid that is being revoked; the last one seen
	stolen.Store("")
	newest.Store(first)
	stop := make(chan struct{})
	var running sync.WaitGroup
	var served atomic.Int64
	for range 3 {
		client := d.newClient()
		running.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond) // other tests have work to do, too
			defer pace.Stop()
			for {
				select {
				case <-stop:
					return
				case <-pace.C:
				}
				a, err := d.tryPost(client, d.authURL+"/token", d.by("robot", "grant_type", "client_credentials", "audience", audience).Encode())
				if err != nil || a.status != http.StatusOK {
					t.Errorf("no token: %d %s %v", a.status, a.body, err)
					return
				}
				raw := a.granted().Access
				a, err = d.try(client, "GET", "/e2e/echo", raw, "")
				if err != nil || a.status != http.StatusOK && kid(t, raw) != stolen.Load() {
					t.Errorf("a valid token gets %d %s %v", a.status, a.body, err)
					return
				}
				newest.Store(kid(t, raw))
				served.Add(1)
			}
		})
	}
	signs := func(other string) func() bool {
		return func() bool { return newest.Load() != other || t.Failed() }
	}
	until(t, "the next key may sign", 10*time.Second, func() bool {
		_, code := d.operate("keys", "rotate", "--key-publish", "1s")
		return code == 0
	})
	until(t, "the next key signs", 10*time.Second, signs(first))
	second := newest.Load().(string)
	// The third key is published since then. The gateway does not know it yet, and
	// may ask once its cool-down is over.
	until(t, "the gateway may ask again", 20*time.Second, func() bool { return time.Since(knows) > 11*time.Second })
	old := d.credentials("robot", audience)
	if a := d.send("GET", "/e2e/echo", old, ""); kid(t, old) != second || a.status != http.StatusOK {
		t.Fatalf("before: %d %s", a.status, a.body)
	}
	stolen.Store(second)
	if out, code := d.operate("keys", "revoke", second); code != 0 {
		t.Fatal(out)
	}
	revoked := time.Now()
	// It takes a tenth of a second; the bound leaves room for a machine that is busy.
	until(t, "the gateway refuses what the stolen key has signed", 5*time.Second, func() bool { return d.send("GET", "/e2e/echo", old, "").status == http.StatusUnauthorized })
	t.Logf("the gateway refuses it after %v", time.Since(revoked).Round(time.Millisecond))
	until(t, "another key signs", 10*time.Second, signs(second))
	if a := d.send("GET", "/e2e/echo", d.credentials("robot", audience), ""); a.status != http.StatusOK {
		t.Errorf("a new token: %d %s", a.status, a.body)
	}
	before := served.Load()
	until(t, "clients are served on", 20*time.Second, func() bool { return served.Load() > before+50 || t.Failed() })
	close(stop)
	running.Wait()
	if d.active("robot", old) {
		t.Error("the token service calls it good")
	}
	if a := d.send("GET", "/e2e/echo", old, ""); a.status != http.StatusUnauthorized {
		t.Errorf("it is good again: %d", a.status)
	}
	if set, err := d.keySet(); err != nil || strings.Contains(set, second) || !strings.Contains(set, first) {
		t.Errorf("the key set has the stolen key, or not the one that was rotated in peace: %s, %v", set, err)
	}
	t.Logf("%d requests were served", served.Load())
}
