package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// active reports whether the token service calls a token good, to a client that it
// was issued to.
func (d *desk) active(client, raw string) bool {
	d.t.Helper()
	a := d.post("/introspect", d.by(client, "token", raw))
	if a.status != http.StatusOK {
		d.t.Fatalf("introspection: %d %s", a.status, a.body)
	}
	return a.body != `{"active":false}`
}

// invalid expects the answer to what cannot be redeemed.
func invalid(t *testing.T, a answer) {
	t.Helper()
	if g := a.granted(); a.status != http.StatusBadRequest || g.Error != "invalid_grant" || g.Access != "" || g.Refresh != "" {
		t.Errorf("got %d %s, want invalid_grant", a.status, a.body)
	}
}

// codes are stolen, replayed and injected.
func (d *desk) codes(t *testing.T, guest *visitor) {
	t.Run("a code is good once, and its replay ends all that came of it", func(t *testing.T) {
		code := guest.code()
		g := d.must(d.redeem("web", code))
		if !d.active("web", g.Access) || !d.active("web", g.Refresh) {
			t.Fatal("the tokens of the code are not good")
		}
		invalid(t, d.redeem("web", code))
		if d.active("web", g.Access) || d.active("web", g.Refresh) {
			t.Error("the tokens of a code that two have known are still good")
		}
		invalid(t, d.renew("web", g.Refresh))
	})
	t.Run("of forty who redeem a code at once, at two processes, one gets its tokens", func(t *testing.T) {
		twin := d.twin()
		code := guest.code()
		answers := make([]answer, 40)
		var all sync.WaitGroup
		for i := range answers {
			f := d.by("web", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", codeVerifier)
			if i%2 == 1 {
				f = d.by("web", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", codeVerifier)
			}
			all.Go(func() {
				var err error
				if answers[i], err = d.tryPost(d.client, []string{d.authURL, twin}[i%2]+"/token", f.Encode()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		good := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.status != http.StatusOK })
		if len(good) != 1 {
			t.Fatalf("the code was good %d times", len(good))
		}
		for _, a := range answers {
			if a.status != http.StatusOK {
				invalid(t, a)
			}
		}
		g := good[0].granted()
		until(t, "both processes know that the code's tokens are revoked", 2*time.Second, func() bool { return !d.active("web", g.Access) })
		invalid(t, d.renew("web", g.Refresh))
	})
	t.Run("a code of one client is nothing to another, and not spoilt by it", func(t *testing.T) {
		code := guest.code()
		invalid(t, d.redeem("rival", code))
		invalid(t, d.redeem("app", code))
		invalid(t, d.redeem("web", code, "redirect_uri", "https://app.hotel.test/other"))
		invalid(t, d.redeem("web", code, "redirect_uri", ""))
		d.must(d.redeem("web", code))
	})
	t.Run("a code that is injected into another's sign-in does not fit its verifier", func(t *testing.T) {
		invalid(t, d.redeem("web", guest.code(), "code_verifier", "the-verifier-of-somebody-else-whose-sign-in-it-was"))
	})
	t.Run("what is no code is told nothing more", func(t *testing.T) {
		g := d.must(d.redeem("web", guest.code()))
		for _, code := range []string{"pcc_" + codeVerifier, "x", g.Refresh, g.Access} {
			invalid(t, d.redeem("web", code))
		}
		if !d.active("web", g.Refresh) {
			t.Error("a refresh token in the place of a code was used up")
		}
	})
	t.Run("a code is no refresh token", func(t *testing.T) { invalid(t, d.renew("web", guest.code())) })
	t.Run("an ID token of ours is no access token", func(t *testing.T) {
		id := d.must(d.redeem("web", guest.code("scope", "openid e2e"))).ID
		if claims(t, id)["aud"] != "web" {
			t.Fatalf("the ID token says %v", claims(t, id))
		}
		if d.active("web", id) {
			t.Error("introspection calls it good")
		}
		if a := d.exchange("hop1", id, "hop2"); a.granted().Error != "invalid_request" {
			t.Errorf("as the subject of an exchange: %d %s", a.status, a.body)
		}
	})
}

// families are refresh tokens, of which one is stolen.
func (d *desk) families(t *testing.T, guest *visitor) {
	t.Run("an old refresh token ends its whole family, whoever uses it", func(t *testing.T) {
		first := d.must(d.redeem("web", guest.code()))
		second := d.must(d.renew("web", first.Refresh))
		third := d.must(d.renew("web", second.Refresh))
		other := d.must(d.redeem("web", guest.code()))
		invalid(t, d.renew("web", first.Refresh)) // the thief, or the victim
		for _, g := range []granted{first, second, third} {
			if d.active("web", g.Access) {
				t.Error("an access token of the family is still good")
			}
			invalid(t, d.renew("web", g.Refresh))
		}
		if !d.active("web", other.Access) {
			t.Error("another sign-in of the same person ended too")
		}
		d.must(d.renew("web", other.Refresh))
	})
	t.Run("of twenty who use a refresh token at once one wins, and the family ends", func(t *testing.T) {
		g := d.must(d.redeem("web", guest.code()))
		answers := make([]answer, 20)
		var all sync.WaitGroup
		for i := range answers {
			f := d.by("web", "grant_type", "refresh_token", "refresh_token", g.Refresh).Encode()
			all.Go(func() {
				var err error
				if answers[i], err = d.tryPost(d.client, d.authURL+"/token", f); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		winners := 0
		for _, a := range answers {
			if a.status != http.StatusOK {
				invalid(t, a)
				continue
			}
			winners++
			if d.active("web", a.granted().Access) {
				t.Error("the winner's token is still good, although another has the family's")
			}
			invalid(t, d.renew("web", a.granted().Refresh))
		}
		if winners != 1 {
			t.Errorf("%d won", winners)
		}
	})
	t.Run("a refresh token of one client is nothing to another", func(t *testing.T) {
		g := d.must(d.redeem("web", guest.code()))
		invalid(t, d.renew("rival", g.Refresh))
		invalid(t, d.renew("app", g.Refresh))
		if d.active("rival", g.Refresh) || d.active("rival", g.Access) {
			t.Error("another client is told that the token is good")
		}
		if a := d.post("/revoke", d.by("rival", "token", g.Refresh)); a.status != http.StatusBadRequest {
			t.Errorf("another client may revoke it: %d %s", a.status, a.body)
		}
		d.must(d.renew("web", g.Refresh))
	})
	t.Run("a refresh token gives no more than was granted", func(t *testing.T) {
		g := d.must(d.redeem("web", guest.code()))
		for _, pairs := range [][]string{{"scope", "e2e search:read"}, {"scope", "reservations:write"}, {"resource", "reservations"}} {
			a := d.post("/token", d.by("web", append(pairs, "grant_type", "refresh_token", "refresh_token", g.Refresh)...))
			if e := a.granted().Error; e != "invalid_scope" && e != "invalid_target" {
				t.Errorf("%v: %d %s", pairs, a.status, a.body)
			}
		}
		if got := claims(t, d.must(d.renew("web", g.Refresh)).Access); got["scope"] != "e2e" || got["aud"] != audience {
			t.Errorf("the new token says %v", got)
		}
	})
	t.Run("an old refresh token that is revoked ends the family, too", func(t *testing.T) {
		g := d.must(d.redeem("web", guest.code()))
		next := d.must(d.renew("web", g.Refresh))
		if a := d.post("/revoke", d.by("web", "token", g.Refresh)); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if d.active("web", next.Access) || d.active("web", g.Access) {
			t.Error("tokens outlive their family")
		}
		invalid(t, d.renew("web", next.Refresh))
	})
}

// resets are of a password that somebody else knows.
func (d *desk) resets(t *testing.T) {
	t.Run("a new password ends every sign-in of before, and none that follows at once", func(t *testing.T) {
		victim := d.member("victim@hotel.test")
		thief := d.newVisitor("victim@hotel.test") // who has the password, and another browser
		thief.signIn()
		before := d.must(d.redeem("web", thief.code()))
		victim.submit("/reset", "email", victim.email)
		token := victim.link("/reset/confirm", 2).Query().Get("token")
		victim.password = "a password that the thief does not have"
		if a := victim.submit("/reset/confirm", "token", token, "password", victim.password); a.status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.status, a.body)
		}
		victim.signIn()
		after := d.must(d.redeem("web", victim.code())) // in the same second, most of the time
		if d.active("web", before.Access) || !d.active("web", after.Access) {
			t.Errorf("the tokens of before are good: %v, and those of after: %v", d.active("web", before.Access), d.active("web", after.Access))
		}
		invalid(t, d.renew("web", before.Refresh))
		d.must(d.renew("web", after.Refresh))
		if to := thief.get(signInRequest()); !strings.HasPrefix(to.header.Get("Location"), "/signin?") {
			t.Errorf("the thief is still signed in: %d %s", to.status, to.header.Get("Location"))
		}
		if a := thief.signIn(); a.status != http.StatusForbidden {
			t.Errorf("the old password: %d", a.status)
		}
	})
}
