package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestASignInUnderAttack is one token service with people, and everyone who
// would like to be them.
func TestASignInUnderAttack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, true)
	d.startAuth()
	guest := d.member("guest@hotel.test")
	d.redirects(t, guest)
	d.challenges(t, guest)
	d.mixUps(t, guest)
	d.codes(t, guest)
	d.families(t, guest)
	d.resets(t)
}

// redirects try to have a code sent to the attacker. The browser must be sent
// nowhere: the error is a page.
func (d *desk) redirects(t *testing.T, guest *visitor) {
	const native = "http://127.0.0.1/callback"
	for name, c := range map[string][2]string{
		"below it":                  {"web", callback + "/evil"},
		"a sibling":                 {"web", "https://app.hotel.test/call"},
		"with a query":              {"web", callback + "?next=https://evil.test"},
		"with a fragment":           {"web", callback + "#evil"},
		"with a user":               {"web", "https://app.hotel.test@evil.test/callback"},
		"with a user of its own":    {"web", "https://evil.test@app.hotel.test/callback"},
		"as a prefix of a host":     {"web", "https://app.hotel.test.evil.test/callback"},
		"with a backslash":          {"web", `https://evil.test\@app.hotel.test/callback`},
		"with a backslash in it":    {"web", `https://app.hotel.test\callback`},
		"in capitals":               {"web", "HTTPS://app.hotel.test/callback"},
		"with a host in capitals":   {"web", "https://APP.hotel.test/callback"},
		"with its default port":     {"web", "https://app.hotel.test:443/callback"},
		"on another port":           {"web", "https://app.hotel.test:8443/callback"},
		"in the clear":              {"web", "http://app.hotel.test/callback"},
		"with a dot segment":        {"web", "https://app.hotel.test/x/../callback"},
		"with an encoded path":      {"web", "https://app.hotel.test/%63allback"},
		"with a slash more":         {"web", "https://app.hotel.test//callback"},
		"with a blank before":       {"web", " " + callback},
		"with a line break":         {"web", callback + "\r\nLocation: https://evil.test"},
		"a script":                  {"web", "javascript:alert(1)//" + callback},
		"relative":                  {"web", "/callback"},
		"without a scheme":          {"web", "//app.hotel.test/callback"},
		"none":                      {"web", ""},
		"of another client":         {"web", native},
		"of loopback by name":       {"app", "http://localhost/callback"},
		"of loopback, another path": {"app", "http://127.0.0.1:4711/other"},
		"of loopback, encrypted":    {"app", "https://127.0.0.1:4711/callback"},
		"of loopback, as a number":  {"app", "http://2130706433/callback"},
		"of loopback, with a user":  {"app", "http://127.0.0.1:4711@evil.test/callback"},
		"of loopback, two ports":    {"app", "http://127.0.0.1:80:4711/callback"},
		"of loopback, an open port": {"app", "http://127.0.0.1:/callback"},
		"of loopback, six":          {"app", "http://[::1]:4711/callback"},
		"of a client nobody knows":  {"nobody", callback},
	} {
		t.Run("nobody is redirected to an address "+name, func(t *testing.T) {
			a := guest.get(signInRequest("client_id", c[0], "redirect_uri", c[1]))
			if a.status != http.StatusBadRequest || a.header.Get("Location") != "" || !strings.Contains(a.body, "This sign-in cannot go on") {
				t.Errorf("got %d, Location %q", a.status, a.header.Get("Location"))
			}
			if c[1] != "" && strings.Contains(a.body, "evil") {
				t.Errorf("the page repeats what the attacker wrote: %s", a.body)
			}
		})
	}
	t.Run("only the port of a loopback address may differ", func(t *testing.T) {
		for _, uri := range []string{native, "http://127.0.0.1:4711/callback"} {
			if to := guest.authorize("client_id", "app", "redirect_uri", uri); !strings.HasPrefix(to.String(), uri+"?") || to.Query().Get("code") == "" {
				t.Errorf("%s: sent to %s", uri, to)
			}
		}
	})
	t.Run("two addresses in one request are none", func(t *testing.T) {
		a := guest.get(signInRequest() + "&redirect_uri=" + url.QueryEscape("https://evil.test/"))
		if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("got %d, Location %q", a.status, a.header.Get("Location"))
		}
	})
}

// challenges leave PKCE out, or weaken it.
func (d *desk) challenges(t *testing.T, guest *visitor) {
	for name, c := range map[string]struct {
		pairs []string
		code  string
	}{
		"none":                            {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"a method without a challenge":    {[]string{"code_challenge", ""}, "invalid_request"},
		"a challenge without a method":    {[]string{"code_challenge_method", ""}, "invalid_request"},
		"plain":                           {[]string{"code_challenge_method", "plain", "code_challenge", codeVerifier}, "invalid_request"},
		"the method in another case":      {[]string{"code_challenge_method", "s256"}, "invalid_request"},
		"a challenge that is no hash":     {[]string{"code_challenge", "short"}, "invalid_request"},
		"an implicit grant":               {[]string{"response_type", "token"}, "unsupported_response_type"},
		"a hybrid grant":                  {[]string{"response_type", "code token"}, "unsupported_response_type"},
		"an answer in a fragment":         {[]string{"response_mode", "fragment"}, "invalid_request"},
		"a request object":                {[]string{"request", "e30.e30."}, "request_not_supported"},
		"a request object from elsewhere": {[]string{"request_uri", "https://evil.test/request"}, "request_uri_not_supported"},
		"a scope that was not granted":    {[]string{"scope", "e2e reservations:write"}, "invalid_scope"},
		"an audience that was not":        {[]string{"resource", "reservations"}, "invalid_target"},
	} {
		t.Run("a sign-in is refused with "+name, func(t *testing.T) {
			to := guest.authorize(c.pairs...)
			if q := to.Query(); q.Get("error") != c.code || q.Get("code") != "" || q.Get("state") != state || q.Get("iss") != d.authURL {
				t.Errorf("sent to %s, want the error %s", to, c.code)
			}
		})
	}
	for name, verifier := range map[string]string{"no": "", "the challenge as": codeChallenge, "another": strings.Repeat("a", 43), "a short": "a", "one character more in the": codeVerifier + "a"} {
		t.Run("a code is worth nothing with "+name+" verifier", func(t *testing.T) {
			code := guest.code()
			a := d.redeem("web", code, "code_verifier", verifier)
			if g := a.granted(); a.status != http.StatusBadRequest || g.Error != "invalid_grant" && g.Error != "invalid_request" {
				t.Errorf("got %d %s", a.status, a.body)
			}
			d.must(d.redeem("web", code)) // and was not spoilt by it
		})
	}
}

// mixUps are about who has answered: a client of several services must not take
// one's code to another.
func (d *desk) mixUps(t *testing.T, guest *visitor) {
	t.Run("an answer says who gives it, and the metadata say that it does", func(t *testing.T) {
		to := guest.authorize()
		if q := to.Query(); q.Get("iss") != d.authURL || q.Get("state") != state || !strings.HasPrefix(to.String(), callback+"?") {
			t.Errorf("sent to %s", to)
		}
		a := guest.get("/.well-known/oauth-authorization-server")
		if !strings.Contains(a.body, `"authorization_response_iss_parameter_supported":true`) || !strings.Contains(a.body, `"code_challenge_methods_supported":["S256"]`) {
			t.Errorf("the metadata are %s", a.body)
		}
	})
	t.Run("who has not signed in gets no code, and loses no parameter on the way", func(t *testing.T) {
		stranger := d.newVisitor("nobody@hotel.test")
		a := stranger.get(signInRequest())
		to, err := url.Parse(a.header.Get("Location"))
		if err != nil || a.status != http.StatusSeeOther || to.Path != "/signin" || "/authorize?"+to.Query().Get("continue") != signInRequest() {
			t.Errorf("got %d, Location %q", a.status, a.header.Get("Location"))
		}
		if to := stranger.authorize("prompt", "none"); to.Query().Get("error") != "login_required" {
			t.Errorf("sent to %s", to)
		}
	})
	t.Run("a sign-in goes on to us alone", func(t *testing.T) {
		if a := guest.submit("/signin", "email", guest.email, "password", guest.password, "continue", "x\r\nLocation: https://evil.test"); a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("a line break: got %d, Location %q", a.status, a.header.Get("Location"))
		}
		for _, next := range []string{"https://evil.test", "//evil.test", "/\\evil.test"} {
			a := guest.submit("/signin", "email", guest.email, "password", guest.password, "continue", next)
			if to := a.header.Get("Location"); a.status != http.StatusSeeOther || !strings.HasPrefix(to, "/account") && !strings.HasPrefix(to, "/continue?") {
				t.Errorf("%q: got %d, Location %q", next, a.status, to)
			}
		}
	})
}
