package pages_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"portcullis/authserver/internal/pages"
)

func pagesRate(rate int) pages.Config { return pages.Config{Rate: rate} }

func TestEveryAnswerIsLockedDown(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	answers := map[string]answer{
		"a form": b.get("/signup"), "a redirect": b.get("/signin"), "no page": b.get("/nothing"), "the account": b.get("/account"),
		"a wrong form": b.post("/signup"), "another method": b.post("/account"), "a bad link": b.get("/verify?token=x"),
	}
	for name, a := range answers {
		for field, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy":     "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Access-Control-Allow-Origin": "", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := a.header.Get(field); got != want {
				t.Errorf("%s: %s is %q, want %q", name, field, got, want)
			}
		}
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, " style=") || regexp.MustCompile(`\son[a-z]+=`).MatchString(a.body) {
			t.Errorf("%s has script or style in it", name)
		}
	}
	if got := answers["another method"]; got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("another method: %d, Allow %q", got.status, got.header.Get("Allow"))
	}
}

func TestAssetsMayBeKeptForEver(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)
	found := regexp.MustCompile(`/assets/[a-z]+-[0-9a-f]{16}\.(css|svg)`).FindAllString(b.get("/signin").body, -1)
	if len(found) < 2 {
		t.Fatalf("assets %q", found)
	}
	for _, path := range found {
		a := b.get(path)
		if a.status != http.StatusOK || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	if a := b.get("/assets/../pages.go"); a.status == http.StatusOK {
		t.Error("a file is served that is no asset")
	}
}

func TestAFormSaysWhatIsWrongAndKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.browser(t).post("/signup", "email", `ada@"><script>alert(1)</script>`, "password", "short")
	if a.status != http.StatusUnprocessableEntity {
		t.Fatalf("status %d", a.status)
	}
	for _, want := range []string{
		`role="alert"`, `<a href="#email">`, `<a href="#password">`, `aria-invalid="true" aria-describedby="password-wrong"`,
		`id="password-wrong"`, `autocomplete="new-password"`, `autocomplete="username"`, `<label for="email">`, `<title>Error: Create your account`,
		`value="ada@&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in\n%s", want, a.body)
		}
	}
	if strings.Contains(a.body, "short\"") || strings.Contains(a.body, "<script") {
		t.Errorf("the password or a script came back:\n%s", a.body)
	}
}

func TestPasswordsThatAreGuessedFirstAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for password, want := range map[string]string{
		"": "Type a password", "1234567": "too short", "Password123": "one of the first", "aaaaaaaaaa": "one of the first",
		"Ada.Lovelace@hotel.example": "your e-mail address", "ada.lovelace": "your e-mail address", strings.Repeat("long ", 41): "too long",
		"ｐａｓｓｗｏｒｄ１": "one of the first", // full-width letters are the same characters
	} {
		a := s.browser(t).post("/signup", "email", "ada.lovelace@hotel.example", "password", password)
		if a.status != http.StatusUnprocessableEntity || !a.shown(want) {
			t.Errorf("%q: %d, want a page that says %q", password, a.status, want)
		}
	}
}

func TestSignInGoesOnToOurOwnAuthorizeAndNowhereElse(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.signedUp(t, "ada@hotel.example")
	for name, c := range map[string]struct{ query, want string }{
		"the request":         {"client_id=app&state=a%26b&redirect_uri=https%3A%2F%2Fapp.example%2Fcb", "/authorize?client_id=app&state=a%26b&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"},
		"another site":        {"//evil.example/", "/authorize?//evil.example/"},
		"a line break":        {"a=b\r\nSet-Cookie: x=y", ""},
		"a fragment":          {"a=b#c", ""},
		"a quotation mark":    {`a="><script>`, ""},
		"more than 4 KiB":     {"a=" + strings.Repeat("x", 4<<10), ""},
		"nothing to go on to": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser(t)
			w := httptest.NewRecorder()
			s.pages.SignIn(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/authorize", nil), c.query)
			form := b.get(w.Header().Get("Location"))
			carried := regexp.MustCompile(`name="continue" value="([^"]*)"`).FindStringSubmatch(form.body)
			if form.status != http.StatusOK || (carried != nil) != (c.want != "") {
				t.Fatalf("%d to %q, which carries %q", w.Code, w.Header().Get("Location"), carried)
			}
			// What a page of another origin would put into the URL is no better.
			a := b.post("/signin", "email", "ada@hotel.example", "password", password, "continue", c.query)
			if c.want == "" {
				if a.status == http.StatusSeeOther && a.location() != "/account" {
					t.Errorf("it goes on to %q", a.location())
				}
				return
			}
			page := b.get(a.location())
			link := regexp.MustCompile(`<a class="button" href="([^"]*)"`).FindStringSubmatch(page.body)
			if !page.shown(`content="0;url=`+c.want+`"`) || link == nil || strings.ReplaceAll(link[1], "&amp;", "&") != c.want {
				t.Errorf("it goes on to %q:\n%s", link, page.body)
			}
		})
	}
}

func TestWhoSignsUpOnTheWayToAnApplicationArrivesThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)
	b.post("/signup", "email", "ada@hotel.example", "password", password, "continue", "client_id=app&state=1")
	a := b.post("/verify", "token", s.mail.next(t, "ada@hotel.example").token(t), "password", password)
	if want := "/continue?continue=" + url.QueryEscape("client_id=app&state=1"); a.location() != want {
		t.Errorf("it goes on to %q, want %q", a.location(), want)
	}
}

func TestChangingThePasswordEndsTheOtherSessions(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	other := s.browser(t)
	other.post("/signin", "email", "ada@hotel.example", "password", password)
	if a := b.post("/account/password", "password", "not the current one", "new", "a whole new password"); a.status != http.StatusForbidden || !a.shown("The password is not right") {
		t.Errorf("without the current password: %d", a.status)
	}
	if a := b.post("/account/password", "password", password, "new", "short"); a.status != http.StatusUnprocessableEntity || !a.shown("too short") {
		t.Errorf("a short one: %d", a.status)
	}
	if a := b.post("/account/password", "password", password, "new", "a whole new password"); a.location() != "/account?done=password" {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if a := b.get("/account?done=password"); a.status != http.StatusOK || !a.shown("Your password is changed") {
		t.Errorf("this session: %d", a.status)
	}
	if a := other.get("/account"); a.location() != "/signin" {
		t.Errorf("the other session: %d", a.status)
	}
	if s.revocations() == 0 {
		t.Error("no token was revoked")
	}
}

func TestSigningOutEverywhereEndsSessionsAndTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.signedUp(t, "ada@hotel.example")
	other := s.browser(t)
	other.post("/signin", "email", "ada@hotel.example", "password", password)
	if a := b.get("/account"); strings.Count(a.body, "<li>") != 2 {
		t.Errorf("it does not list two sessions:\n%s", a.body)
	}
	if a := b.post("/account/signout"); a.location() != "/signed-out" {
		t.Fatalf("status %d", a.status)
	}
	for _, each := range []*browser{b, other} {
		if a := each.get("/account"); a.location() != "/signin" {
			t.Errorf("a session is left: %d", a.status)
		}
	}
	if s.revocations() == 0 {
		t.Error("no token was revoked")
	}
}

func TestAnApplicationsWishToSignOutIsConfirmedByThePerson(t *testing.T) {
	t.Parallel()
	s := startWith(t, pages.Config{Rate: 100, PostLogout: func(_ *http.Request, query string) string {
		if query == "client_id=app&state=1" {
			return "https://app.example/bye?state=1"
		}
		return ""
	}})
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logout" {
			s.pages.ConfirmSignOut(w, r, r.URL.RawQuery)
			return
		}
		inner.ServeHTTP(w, r)
	})
	b := s.signedUp(t, "ada@hotel.example")
	if a := b.get("/logout?client_id=app&state=1"); !a.shown("Do you want to sign out?") || !a.shown(`name="logout" value="client_id=app&state=1"`) || b.session() == "" {
		t.Fatalf("it does not ask: %d %s", a.status, a.body)
	}
	if a := b.post("/signout", "logout", "client_id=app&state=1"); a.status != http.StatusOK || !a.shown(`content="0;url=https://app.example/bye?state=1"`) || b.session() != "" {
		t.Errorf("it does not go on: %d %s", a.status, a.body)
	}
	if a := b.post("/signout", "logout", "https://evil.example"); a.location() != "/signed-out" {
		t.Errorf("it goes on to what was not asked for: %d", a.status)
	}
}

func TestAnErrorPageSaysWhatToDoAndEscapesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/authorize", nil)
	r.Header.Set("X-Request-Id", "r-1")
	w := httptest.NewRecorder()
	s.pages.Error(w, r, http.StatusBadRequest, "The request is not right", "The application <b> sent a bad request.", "Go back to it and start again.")
	a := answer{w.Code, w.Header(), w.Body.String()}
	if a.status != http.StatusBadRequest || !a.shown("Go back to it") || !a.shown("r-1") || strings.Contains(a.body, "<b>") || a.header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %v\n%s", a.status, a.header, a.body)
	}
}

// TestTextCanBeRead holds the contrast of WCAG 2.2, 1.4.3 and 1.4.11, in both
// schemes, for the pairs of colours that stand on each other.
func TestTextCanBeRead(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("assets/portcullis.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(css), "prefers-color-scheme: dark")
	dark, _, _ = strings.Cut(dark, "\n}\n")
	for name, text := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			colors[m[1]] = m[2]
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"soft", "paper", 4.5}, {"soft", "card", 4.5}, {"brand", "card", 4.5}, {"brand-deep", "card", 4.5},
			{"on-brand", "brand", 4.5}, {"on-brand", "brand-deep", 4.5}, {"bad", "card", 4.5}, {"bad", "bad-paper", 4.5}, {"card", "bad", 4.5},
			{"good", "good-paper", 4.5}, {"edge", "card", 3}, {"brand", "paper", 3},
		} {
			front, back := colors[pair.front], colors[pair.back]
			if front == "" || back == "" {
				t.Fatalf("%s: no colour %s or %s", name, pair.front, pair.back)
			}
			if got := contrast(t, front, back); got < pair.least {
				t.Errorf("%s: %s on %s has %.2f:1, want %.1f:1", name, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	l := []float64{luminance(t, a), luminance(t, b)}
	return (max(l[0], l[1]) + 0.05) / (min(l[0], l[1]) + 0.05)
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(fmt.Errorf("the colour %q: %w", color, err))
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
