package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is what clients were answered.
type ledger struct {
	mu sync.Mutex
	// ids are those of tokens that were issued; assertions were used.
	ids, assertions []string
	// revoked are tokens whose revocation was answered.
	revoked []string
	// codes were redeemed, open ones may have been: nobody was told.
	codes, open []string
	families    []family
}

// family is what a client holds of a sign-in: the refresh token it got last, and
// the one before. An open one may have been rotated once more.
type family struct {
	last, before string
	open         bool
}

func (l *ledger) note(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// busy reports whether enough of everything has been answered.
func (l *ledger) busy(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ids) >= 5*n && len(l.assertions) >= n && len(l.revoked) >= n && len(l.codes) >= n
}

// TestKillingTheTokenServiceLosesNothingThatWasAnswered kills it, without any
// warning, while it does all it can do, and starts it again. What it has
// answered holds; what it has not may have happened, and never twice. That a
// machine may lose its power as well is for the tests of what is written.
func TestKillingTheTokenServiceLosesNothingThatWasAnswered(t *testing.T) {
	t.Parallel()
	d := newDesk(t, true)
	d.startAuth()
	guest := d.member("guest@hotel.test")
	for range kills {
		l := &ledger{}
		ended := d.load(l, guest)
		enough := 5 + rand.IntN(10)
		until(t, "the service is busy", 60*time.Second, func() bool { return l.busy(enough) })
		d.auth.kill()
		ended()
		d.startAuth()
		d.holds(t, l, guest)
		if t.Failed() {
			return
		}
	}
}

// load has every kind of client work until the service does not answer; ended
// waits for them.
func (d *desk) load(l *ledger, guest *visitor) (ended func()) {
	var all sync.WaitGroup
	work := func(step func(c *http.Client) bool) {
		c := d.newClient()
		all.Go(func() {
			for step(c) {
			}
		})
	}
	// ask gives what was granted; a form that was not answered ends the work.
	ask := func(c *http.Client, path string, f url.Values) (granted, bool) {
		a, err := d.tryPost(c, d.authURL+path, f.Encode())
		if err != nil {
			return granted{}, false
		}
		g := a.granted()
		if a.status != http.StatusOK {
			d.t.Errorf("%s answers %d %s", path, a.status, a.body)
			return g, false
		}
		if g.Access != "" {
			l.note(func() { l.ids = append(l.ids, str(claims(d.t, g.Access)["jti"])) })
		}
		return g, true
	}
	secret := form("grant_type", "client_credentials", "client_id", "search", "client_secret", d.secretOf("search"), "audience", "reservations")
	for range 2 {
		work(func(c *http.Client) bool { _, ok := ask(c, "/token", secret); return ok })
	}
	work(func(c *http.Client) bool {
		raw := d.assertion("robot")
		_, ok := ask(c, "/token", asserting(raw))
		if ok {
			l.note(func() { l.assertions = append(l.assertions, raw) })
		}
		return ok
	})
	work(func(c *http.Client) bool {
		g, ok := ask(c, "/token", asserting(d.assertion("robot")))
		if !ok {
			return false
		}
		if _, ok = ask(c, "/revoke", d.by("robot", "token", g.Access)); ok {
			l.note(func() { l.revoked = append(l.revoked, g.Access) })
		}
		return ok
	})
	signIns := func(c *http.Client) bool {
		code, ok := guest.tryCode()
		if !ok {
			return false
		}
		g, ok := ask(c, "/token", d.by("web", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", codeVerifier))
		if !ok {
			l.note(func() { l.open = append(l.open, code) })
			return false
		}
		l.note(func() { l.codes = append(l.codes, code) })
		f := family{last: g.Refresh}
		for range rand.IntN(5) {
			if g, ok = ask(c, "/token", d.by("web", "grant_type", "refresh_token", "refresh_token", f.last)); !ok {
				f.open = true
				break
			}
			f.last, f.before = g.Refresh, f.last
		}
		l.note(func() { l.families = append(l.families, f) })
		return ok
	}
	work(signIns)
	work(signIns)
	return all.Wait
}

// tryCode is code for whoever expects that the service may be gone.
func (v *visitor) tryCode() (string, bool) {
	res, err := v.client.Get(v.s.authURL + signInRequest())
	if err != nil {
		return "", false
	}
	_ = res.Body.Close()
	to, err := url.Parse(res.Header.Get("Location"))
	return to.Query().Get("code"), err == nil && to.Query().Get("code") != ""
}

// holds compares what was answered with what is.
func (d *desk) holds(t *testing.T, l *ledger, guest *visitor) {
	t.Helper()
	t.Logf("answered: %d tokens, %d assertions, %d revocations, %d codes, %d sign-ins; not answered: %d codes",
		len(l.ids), len(l.assertions), len(l.revoked), len(l.codes), len(l.families), len(l.open))
	recorded := d.recorded()
	for _, id := range l.ids {
		if !recorded[id] {
			t.Errorf("the token %s was handed out, and the audit log does not know it", id)
		}
	}
	for _, raw := range l.assertions {
		if a := d.post("/token", asserting(raw)); a.status != http.StatusUnauthorized {
			t.Errorf("an assertion was good twice: %d %s", a.status, a.body)
		}
	}
	for _, raw := range l.revoked {
		if d.active("robot", raw) {
			t.Error("a token that was revoked is good again")
		}
	}
	for _, f := range l.families {
		a := d.renew("web", f.last)
		if !f.open || a.status == http.StatusOK { // or it was rotated, and nobody was told
			if g := d.must(a); !d.active("web", g.Access) {
				t.Error("a refresh token gives tokens that are not good")
			}
			invalid(t, d.renew("web", f.last))
		}
		if f.before != "" {
			invalid(t, d.renew("web", f.before))
		}
	}
	for _, code := range l.open {
		if a := d.redeem("web", code); a.status != http.StatusOK {
			invalid(t, a)
		}
		invalid(t, d.redeem("web", code))
	}
	for _, code := range l.codes {
		invalid(t, d.redeem("web", code))
	}
	d.must(d.redeem("web", guest.code())) // the session has outlived it, too
	if out, code := d.operate("audit", "verify"); code != 0 {
		t.Errorf("the audit log does not verify: %s", out)
	}
}

// recorded are the ids of all tokens in the audit log.
func (s *system) recorded() map[string]bool {
	s.t.Helper()
	ids := map[string]bool{}
	for _, file := range must(filepath.Glob(filepath.Join(s.data(), "audit", "*.jsonl"))) {
		for line := range strings.Lines(string(must(os.ReadFile(file)))) {
			var r struct {
				Action, Outcome string
				ID              string `json:"token_id"`
			}
			if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &r) == nil && r.Action == "token" && r.Outcome == "success" {
				ids[r.ID] = true
			}
		}
	}
	return ids
}
