package booking_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"portcullis/services/hotel"
)

// session is the cookie that a browser holds.
func (b *browser) session(t *testing.T) string {
	t.Helper()
	at, err := url.Parse(b.w.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == "__Host-session" {
			return c.Value
		}
	}
	return ""
}

func TestASignInComesBackToWhereItBegan(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get("/book/h-1?"+stayQuery()).says(t, 200, "Book your room") // by way of the token service
	for _, elsewhere := range []string{"https://evil.test/", "//evil.test/", `/\evil.test`, "evil", "/%0d%0aSet-Cookie:x", strings.Repeat("/x", 900)} {
		page := w.browser().get("/signin?return=" + url.QueryEscape(elsewhere))
		if at := page.Request.URL; "https://"+at.Host != w.url || strings.Contains(at.Host, "evil") {
			t.Errorf("a sign-in for %q ends at %s", elsewhere, at)
		}
	}
}

func TestASignInGivesANewSessionAndEndsTheOldOne(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	old := b.session(t)
	b.get("/signin?return=/bookings").says(t, 200)
	if b.session(t) == old || old == "" {
		t.Error("the session's cookie stays the same over a sign-in")
	}
	thief := w.browser()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/bookings", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: old, Secure: true})
	thief.send(r).says(t, 401, "You have been signed out")
}

func TestTheSessionCookieIsForThisHostAlone(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	page := b.once().get("/signin")
	page = b.once().get(page.Header.Get("Location"))
	page = b.once().get(page.Header.Get("Location"))
	found := false
	for _, c := range page.Cookies() {
		if c.Name == "__Host-session" {
			found = c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == ""
		}
	}
	if !found {
		t.Errorf("the sign-in sets %v", page.Header["Set-Cookie"])
	}
}

// TestASignInOfAnothersIsRefused is login cross-site request forgery and its
// relations: whoever begins must be who ends.
func TestASignInOfAnothersIsRefused(t *testing.T) {
	w := newWorld(t)
	attacker := w.browser()
	begun := attacker.once().get("/signin")
	answer := attacker.once().get(begun.Header.Get("Location")).Header.Get("Location")
	at, err := url.Parse(answer)
	if err != nil {
		t.Fatal(err)
	}
	change := func(name, value string) string {
		q := at.Query()
		q.Set(name, value)
		return w.url + "/signin/callback?" + q.Encode()
	}
	w.browser().get(answer).says(t, 400, "This sign-in has lost its way")
	attacker.get(change("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA")).says(t, 400, "lost its way")

	for name, value := range map[string]string{"iss": "https://evil.test", "code": "guessed"} {
		b := w.browser()
		begun := b.once().get("/signin")
		answer := b.once().get(begun.Header.Get("Location")).Header.Get("Location")
		at, _ = url.Parse(answer)
		b.get(change(name, value)).says(t, 400, map[string]string{"iss": "from somebody else", "code": "has expired"}[name])
		if b.session(t) != "" {
			t.Errorf("a wrong %s signs somebody in", name)
		}
		b.get(answer).says(t, 400) // the sign-in under way is used up
	}
}

func TestAFormFromAnotherSiteDoesNothing(t *testing.T) {
	w := newWorld(t)
	trips(w)
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	b.site = "cross-site"
	b.post("/book/h-1", form.filled(t, nil)).says(t, 403, "This form came from another site")
	b.post("/bookings/r-missing/cancel", url.Values{"sure": {"yes"}}).says(t, 403)
	b.post("/profile/remove", url.Values{"sure": {"yes"}}).says(t, 403)
	b.post("/signout", url.Values{}).says(t, 403)
	if n := len(w.hotel.asked("reservations", http.MethodPost)) + len(w.hotel.asked("reservations", http.MethodDelete)) + len(w.hotel.asked("users", http.MethodPost)); n != 0 {
		t.Errorf("%d things were done", n)
	}
	b.site = "same-origin"
	b.get("/bookings").says(t, 200)
}

func TestSigningOutEndsTheSessionHereAndThere(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	cookie := b.session(t)
	page := b.once().post("/signout", url.Values{})
	to, err := url.Parse(page.Header.Get("Location"))
	if err != nil || "https://"+to.Host != w.issuer.URL || to.Query().Get("id_token_hint") == "" || to.Query().Get("post_logout_redirect_uri") != w.url+"/signed-out" {
		t.Errorf("the sign-out goes to %s", to)
	}
	b.get(to.String()).says(t, 200, "You are signed out")
	if b.session(t) != "" {
		t.Error("the cookie stays")
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/bookings", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: cookie, Secure: true})
	w.browser().send(r).says(t, 401)
}

func TestASignInThatEndedElsewhereIsNoticed(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	w.issuer.EndSignIns()
	w.hotel.set(func(h *house) { h.refuses = true }) // as the revocations make them
	b.get("/bookings").says(t, 401, "You have been signed out")
	w.hotel.set(func(h *house) { h.refuses = false })
	b.get("/search?city=Helsinki&"+stayQuery()).says(t, 200, "Kallio Courtyard")
}

func TestTypingIsNotLostWhenTheSessionEnds(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	form := b.get("/book/h-1?" + stayQuery())
	w.back(t, http.MethodDelete, "/v1/guests/g-7/data", hotel.ScopeGuestErase, 204)
	page := b.post("/book/h-1", form.filled(t, nil)).says(t, 401, "Sign in again in a new tab", "a quiet room")
	b.get("/signin?return=/signed-in").says(t, 200, "Welcome back")
	b.post("/book/h-1", page.filled(t, nil)).says(t, 200, "You are booked")
}

func TestTheTokenServiceMayBeAwayForAMoment(t *testing.T) {
	w := newWorld(t)
	b := w.guest()
	b.get("/search?city=Helsinki&"+stayQuery()).says(t, 200)
	w.issuer.Down()
	b.get("/bookings").says(t, 200) // by tokens that are remembered
	stranger := w.browser()
	stranger.once().get("/signin").says(t, 303)
	w.issuer.Up()
}

func TestARefreshTokenIsUsedOnceHoweverManyAskAtOnce(t *testing.T) {
	w := newWorld(t)
	w.short() // tokens that are renewed at each request
	b := w.guest()
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if page := b.get("/bookings"); page.StatusCode != 200 {
				t.Errorf("one of many got %d", page.StatusCode)
			}
		})
	}
	wait.Wait()
	b.get("/bookings").says(t, 200)
}

func TestAStaleTokenCannotBeRenewedWhileTheTokenServiceIsAway(t *testing.T) {
	w := newWorld(t)
	w.short()
	b := w.guest()
	w.issuer.Down()
	page := b.get("/bookings").says(t, 503, "We cannot reach this right now")
	if page.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	w.issuer.Up()
	b.get("/bookings").says(t, 200) // nothing was lost
	w.issuer.EndSignIns()
	b.get("/bookings").says(t, 401, "You have been signed out")
}
