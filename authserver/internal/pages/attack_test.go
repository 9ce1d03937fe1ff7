package pages_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAStrangerCannotTellWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	if a := s.browser(t).post("/signup", "email", "eve@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Fatal(a.body)
	}
	s.mail.next(t, "eve@hotel.example") // signed up, never confirmed
	for name, ask := range map[string]func(email string) answer{
		"sign-up": func(email string) answer {
			return s.browser(t).post("/signup", "email", email, "password", "a password of mine")
		},
		"sign-in": func(email string) answer {
			return s.browser(t).post("/signin", "email", email, "password", "a wrong password")
		},
		"reset":        func(email string) answer { return s.browser(t).post("/reset", "email", email) },
		"verify again": func(email string) answer { return s.browser(t).post("/verify/again", "email", email) },
	} {
		t.Run(name, func(t *testing.T) {
			var want answer
			for i, email := range []string{"bob@hotel.example", "ada@hotel.example", "eve@hotel.example"} { // unknown first
				got := ask(email)
				got.body = strings.ReplaceAll(got.body, email, "EMAIL")
				got.header.Del("Date")
				got.header.Del("Content-Length")
				if i == 0 {
					want = got
					continue
				}
				if got.status != want.status || got.body != want.body || fmt.Sprint(got.header) != fmt.Sprint(want.header) {
					t.Errorf("%s: %d %v\n%s\nbut for one that is unknown: %d %v\n%s", email, got.status, got.header, got.body, want.status, want.header, want.body)
				}
			}
		})
	}
}

func TestWhoSignsUpTwiceIsToldByMailAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	s.browser(t).post("/signup", "email", "ada@hotel.example", "password", "a stranger's password")
	mail := s.mail.next(t, "ada@hotel.example")
	if mail.header.Get("Subject") != "You already have an account" || strings.Contains(mail.text, "token=") {
		t.Errorf("the mail is %v\n%s", mail.header, mail.text)
	}
	if a := s.browser(t).post("/signin", "email", "ada@hotel.example", "password", "a stranger's password"); a.status != http.StatusForbidden {
		t.Errorf("a stranger has set the password of an account by signing up: %d", a.status)
	}
	if a := s.browser(t).post("/signin", "email", "ada@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Errorf("the owner cannot sign in any more: %d", a.status)
	}
}

// Somebody signs up with another's address and their own password and waits for
// the owner to click.
func TestAnAddressIsNotConfirmedForAStrangersPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.browser(t).post("/signup", "email", "ada@hotel.example", "password", "a stranger's password")
	token := s.mail.next(t, "ada@hotel.example").token(t)
	owner := s.browser(t)
	if a := owner.post("/verify", "token", token, "password", password); a.status != http.StatusForbidden {
		t.Fatalf("confirmed with another password: %d", a.status)
	}
	// The owner takes the account over by what only they can read.
	reset := s.resetToken(t, "ada@hotel.example")
	if a := owner.post("/reset/confirm", "token", reset, "password", password); a.location() != "/reset/done" {
		t.Fatalf("reset: %d", a.status)
	}
	if a := s.browser(t).post("/signin", "email", "ada@hotel.example", "password", "a stranger's password"); a.status != http.StatusForbidden {
		t.Errorf("the stranger is in: %d", a.status)
	}
	if a := owner.post("/verify", "token", token, "password", password); a.status != http.StatusGone {
		t.Errorf("the link from before the reset still works: %d", a.status)
	}
	if a := owner.post("/signin", "email", "ada@hotel.example", "password", password); a.location() != "/account" {
		t.Errorf("the owner cannot sign in: %d %s", a.status, a.body)
	}
}

func TestASessionFixedBeforeSignInIsWorthNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	victim := s.signedUp(t, "ada@hotel.example")
	planted := victim.session() // the attacker knows it
	if a := victim.post("/signin", "email", "ada@hotel.example", "password", password); a.status != http.StatusSeeOther {
		t.Fatal(a.body)
	}
	if victim.session() == planted {
		t.Fatal("the session has kept its name over a sign-in")
	}
	attacker := s.browser(t)
	u, _ := url.Parse(s.URL)
	attacker.c.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-portcullis-session", Value: planted, Secure: true, Path: "/"}})
	if a := attacker.get("/account"); a.location() != "/signin" {
		t.Errorf("the planted session is signed in: %d", a.status)
	}
}

func TestACookieThatStandsTwiceIsNobodys(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	r := b.request("/account")
	r.Method, r.Body = http.MethodGet, nil
	b.c.Jar = nil
	cookie := "__Host-portcullis-session=" + s.signedUp(t, "eve@hotel.example").session()
	r.Header.Set("Cookie", cookie)
	if a := b.do(r); a.status != http.StatusOK {
		t.Fatalf("one cookie: %d", a.status)
	}
	r.Header.Set("Cookie", cookie+"; "+cookie)
	if a := b.do(r); a.location() != "/signin" {
		t.Errorf("two cookies: %d", a.status)
	}
}

func TestTheSessionCookieIsForUsAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	a := s.browser(t).post("/signin", "email", "ada@hotel.example", "password", password)
	if got := a.header.Get("Set-Cookie"); !regexp.MustCompile(`^__Host-portcullis-session=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`).MatchString(got) {
		t.Errorf("the cookie is %q", got)
	}
}

func TestAnotherSitesFormIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	for _, path := range []string{"/signup", "/verify", "/verify/again", "/signin", "/reset", "/reset/confirm", "/account/password", "/account/signout", "/signout"} {
		for name, set := range map[string]func(http.Header){
			"another site":          func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
			"a sibling host":        func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
			"an old browser's word": func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "https://evil.example") },
			"a sandboxed frame":     func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "null") },
		} {
			r := b.request(path, "email", "ada@hotel.example", "password", password)
			set(r.Header)
			if a := b.do(r); a.status != http.StatusForbidden || !a.shown("This form came from another site") {
				t.Errorf("%s from %s: %d", path, name, a.status)
			}
		}
	}
	if a := b.get("/account"); a.status != http.StatusOK {
		t.Errorf("it was signed out all the same: %d", a.status)
	}
}

func TestOneOfAHundredUsesOfAResetLinkWins(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	token := s.resetToken(t, "ada@hotel.example")
	var all sync.WaitGroup
	var mu sync.Mutex
	won, busy := 0, 0
	for i := range 100 {
		all.Go(func() {
			// Many at once are told to come back; each does until it is answered.
			for {
				a := s.browser(t).post("/reset/confirm", "token", token, "password", fmt.Sprintf("password number %d", i))
				mu.Lock()
				switch a.status {
				case http.StatusSeeOther:
					won++
				case http.StatusServiceUnavailable:
					busy++
					mu.Unlock()
					continue
				case http.StatusGone:
				default:
					t.Errorf("status %d: %s", a.status, a.body)
				}
				mu.Unlock()
				return
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d of a hundred have won (%d times busy), want one", won, busy)
	}
	if a := b.get("/account"); a.location() != "/signin" {
		t.Errorf("a session has outlived the reset: %d", a.status)
	}
}

func TestALinkIsGoodForItsTimeAndUntilANewerOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	b := s.browser(t)
	first := s.resetToken(t, "ada@hotel.example")
	second := s.resetToken(t, "ada@hotel.example")
	for name, token := range map[string]string{"the older of two": first, "a made-up one": strings.Repeat("A", 43), "none": "", "half of one": second[:20]} {
		if a := b.get("/reset/confirm?token=" + token); a.status != http.StatusGone {
			t.Errorf("%s is shown the form: %d", name, a.status)
		}
		if a := b.post("/reset/confirm", "token", token, "password", "a new password"); a.status != http.StatusGone {
			t.Errorf("%s resets: %d", name, a.status)
		}
	}
	if a := b.post("/verify", "token", second, "password", password); a.status != http.StatusGone {
		t.Errorf("a link for a reset confirms: %d", a.status)
	}
	s.clock.advance(61 * time.Minute)
	if a := b.post("/reset/confirm", "token", second, "password", "a new password"); a.status != http.StatusGone || !a.shown("too old") {
		t.Errorf("a link older than an hour resets: %d", a.status)
	}
}

func TestASessionEndsWhenIdleAndAtTheEndOfTheDay(t *testing.T) {
	t.Parallel()
	s := start(t)
	idle := s.signedUp(t, "ada@hotel.example")
	s.clock.advance(119 * time.Minute)
	if a := idle.get("/account"); a.status != http.StatusOK {
		t.Fatalf("it ended early: %d", a.status)
	}
	s.clock.advance(121 * time.Minute)
	if a := idle.get("/account"); a.location() != "/signin" {
		t.Errorf("it is there after two idle hours: %d", a.status)
	}
	busy := s.browser(t)
	busy.post("/signin", "email", "ada@hotel.example", "password", password)
	for range 11 {
		s.clock.advance(time.Hour)
		if a := busy.get("/account"); a.status != http.StatusOK {
			t.Fatalf("it ended early: %d", a.status)
		}
	}
	s.clock.advance(61 * time.Minute)
	if a := busy.get("/account"); a.location() != "/signin" {
		t.Errorf("it is there after twelve hours: %d", a.status)
	}
}

// A stranger must neither write to others through us nor fill their inbox.
func TestAnAddressCannotCarryAHeaderOrAnotherRecipient(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)
	for _, email := range []string{
		"ada@hotel.example\r\nBcc: all@hotel.example", "ada@hotel.example\nBcc: x@y.example", "ada@hotel.example%0d%0aBcc:x@y.example",
		"ada@hotel.example, bob@hotel.example", "Ada <ada@hotel.example>", `"Buy now"@hotel.example`, "<ada@hotel.example>", "ada@hotel.example (hello)",
		"ada@[127.0.0.1]", "ada@", "@hotel.example", "ada", "ada@hotel.example\x00", "ada\u2028@hotel.example", strings.Repeat("a", 250) + "@hotel.example",
		"a@b@hotel.example", "ada@hotel..example", "ada@hotel.example>", "ada @hotel.example",
	} {
		for _, path := range []string{"/signup", "/reset"} {
			if a := b.post(path, "email", email, "password", password); a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
				t.Errorf("%s takes %q: %d", path, email, a.status)
			}
		}
	}
	s.resetNobody(t)
	if n := s.mail.count(); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
}

// resetNobody waits until the outbox is empty: a mail that is queued later has
// been dealt with.
func (s *service) resetNobody(t *testing.T) {
	t.Helper()
	b := s.browser(t)
	b.post("/signup", "email", "last@hotel.example", "password", password)
	s.mail.next(t, "last@hotel.example")
	s.mail.mu.Lock()
	s.mail.mails, s.mail.read = s.mail.mails[:len(s.mail.mails)-1], s.mail.read-1
	s.mail.mu.Unlock()
}

func TestNobodysInboxIsFilledThroughUs(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	for range 5 {
		s.resetToken(t, "ada@hotel.example")
	}
	for range 5 {
		if a := s.browser(t).post("/reset", "email", "ada@hotel.example"); a.status != http.StatusSeeOther {
			t.Errorf("it tells that no mail is sent: %d", a.status)
		}
	}
	s.resetNobody(t)
	if n := s.mail.count(); n != 1+5 {
		t.Errorf("%d mails in an hour, want the one of the sign-up and 5", n)
	}
	s.clock.advance(time.Hour)
	s.resetToken(t, "ada@hotel.example")
}

func TestAStrangersSignUpsKeepNobodyFromANewPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	for range 4 {
		s.browser(t).post("/signup", "email", "ada@hotel.example", "password", "a stranger's choice")
		s.mail.next(t, "ada@hotel.example")
	}
	s.browser(t).post("/signup", "email", "ada@hotel.example", "password", "a stranger's choice")
	s.resetToken(t, "ada@hotel.example") // there is a mail
}

func TestAFormThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)
	for name, c := range map[string]struct {
		path, body, media string
		want              int
	}{
		"a field twice":        {"/signin", "email=a%40b.example&email=c%40d.example&password=x", "application/x-www-form-urlencoded", 400},
		"a semicolon":          {"/signin", "email=a%40b.example;password=x", "application/x-www-form-urlencoded", 400},
		"JSON":                 {"/signin", `{"email":"a@b.example"}`, "application/json", 400},
		"text as plain":        {"/signin", "email=a%40b.example&password=x", "text/plain", 400},
		"a token in the URL":   {"/reset/confirm?token=x", "password=x", "application/x-www-form-urlencoded", 400},
		"more than 16 KiB":     {"/signin", "email=" + strings.Repeat("a", 17<<10), "application/x-www-form-urlencoded", 413},
		"a name in other case": {"/signin", "Email=a%40b.example&password=x", "application/x-www-form-urlencoded", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.request(c.path)
			r.Body, r.ContentLength = http.NoBody, -1
			r2, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r2.Header = r.Header
			r2.Header.Set("Content-Type", c.media)
			if a := b.do(r2); a.status != c.want || !a.shown("The form could not be read") {
				t.Errorf("status %d, want %d", a.status, c.want)
			}
		})
	}
}
