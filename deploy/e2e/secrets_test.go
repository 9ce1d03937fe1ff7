package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// spill is what must not be found anywhere, and where it came from.
type spill map[string]string

// keep notes the secret part of something: of a token its signature, since its
// claims are no secret.
func (s spill) keep(name, value string) string {
	s[name] = value
	if strings.HasPrefix(value, "eyJ") {
		s[name] = value[strings.LastIndexByte(value, '.')+1:]
	}
	return value
}

// TestNoSecretOfASignInIsEverWritten goes through everything the token service
// does, in right and wrong ways, and searches all that it and the gateway leave
// behind for what they were given, and for anything that looks like it.
func TestNoSecretOfASignInIsEverWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t, true)
	d.startAuth()
	d.startGateway()
	found := spill{}
	found.keep("a client's secret", d.secretOf("search"))
	var shown strings.Builder // what those were told who got an error
	refuse := func(a answer) {
		t.Helper()
		if a.status < 400 {
			t.Errorf("what must be refused was answered with %d", a.status)
		}
		shown.WriteString(a.body + strings.Join(a.header.Values("Location"), "\n"))
	}

	guest := d.newVisitor("canary@hotel.test")
	found.keep("a password", guest.password)
	guest.signUp()
	found.keep("the token of a mail", guest.link("/verify", 1).Query().Get("token"))
	refuse(guest.get(guest.link("/verify", 1).RequestURI())) // it was used
	for _, c := range guest.client.Jar.Cookies(must(url.Parse(d.authURL))) {
		found.keep("the cookie "+c.Name, c.Value)
	}
	refuse(guest.submit("/signin", "email", guest.email, "password", found.keep("a wrong password", "wrong staple of the canary")))
	// Each in the other's field. What is typed into that for the address, and the
	// token that a form carries, stay in the form: these pages are not searched.
	guest.submit("/signin", "email", guest.password, "password", guest.email)
	guest.submit("/signup", "email", guest.password, "password", "x")
	guest.submit("/reset", "email", guest.email)
	reset := guest.link("/reset/confirm", 2)
	found.keep("the token of a reset", reset.Query().Get("token"))
	guest.submit("/reset/confirm", "token", reset.Query().Get("token"), "password", "short")
	guest.password = found.keep("a new password", "a new battery of the canary")
	if a := guest.submit("/reset/confirm", "token", reset.Query().Get("token"), "password", guest.password); a.status != http.StatusSeeOther {
		t.Fatalf("the reset: %d %s", a.status, a.body)
	}
	guest.signIn()

	code := found.keep("a code", guest.code())
	found.keep("a code_verifier", codeVerifier)
	refuse(d.redeem("rival", code))
	g := d.must(d.redeem("web", code))
	found.keep("an access token", g.Access)
	found.keep("a refresh token", g.Refresh)
	next := d.must(d.renew("web", g.Refresh))
	found.keep("a later access token", next.Access)
	found.keep("a later refresh token", next.Refresh)
	if a := d.send("GET", "/e2e/echo", next.Access, ""); a.status != http.StatusOK {
		t.Fatalf("the gateway: %d %s", a.status, a.body)
	}
	refuse(d.send("GET", searchTarget, next.Access, "")) // exchanged, for a service that is down
	refuse(d.send("GET", "/e2e/echo?access_token="+next.Access, "", ""))
	refuse(d.send("GET", "/e2e/echo", next.Refresh, ""))
	id := d.must(d.redeem("web", guest.code("scope", "openid e2e"))).ID
	found.keep("an ID token", id)
	refuse(d.send("GET", "/e2e/echo", id, ""))
	guest.get("/logout?id_token_hint=" + id + "x")

	assertion := found.keep("an assertion", d.assertion("robot"))
	if a := d.post("/token", asserting(assertion)); a.status != http.StatusOK {
		t.Fatalf("the assertion: %d %s", a.status, a.body)
	}
	secret := d.secretOf("search")
	for _, f := range []url.Values{
		asserting(assertion), // it was used
		form("grant_type", "client_credentials", "client_id", secret, "client_secret", secret),
		form("grant_type", secret, "client_id", "search", "client_secret", secret),
		form("grant_type", "client_credentials", "client_id", "search", "client_secret", secret, "scope", secret, "audience", "reservations"),
		form("grant_type", "client_credentials", "client_id", "search", "client_secret", secret, "audience", secret),
		form("grant_type", "client_credentials", "client_id", "search", "client_secret", secret, secret, "x"),
		form("grant_type", "client_credentials", "client_id", "search", "client_secret", next.Refresh),
		form("grant_type", "client_credentials", "client_id", assertion),
		d.by("web", "grant_type", "refresh_token", "refresh_token", g.Refresh), // a replay
		d.by("web", "grant_type", "refresh_token", "refresh_token", next.Access),
		d.by("web", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", codeVerifier),
		d.by("hop1", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", next.Access, "subject_token_type", next.Access, "audience", "hop2"),
		d.by("hop1", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", next.Access, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", "hop2"),
		d.by("hop1", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", "x."+next.Refresh+".y", "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", "hop2"),
	} {
		refuse(d.post("/token", f))
	}
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.SetBasicAuth("search", guest.password) },
		func(r *http.Request) { r.SetBasicAuth(secret, "x") },
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+next.Access) },
		func(r *http.Request) { r.URL.RawQuery = "client_secret=" + url.QueryEscape(secret) },
		func(r *http.Request) {
			r.Header.Set("X-Request-Id", secret)
			r.Header.Set("Traceparent", secret)
			r.Header.Set("User-Agent", secret)
		},
	} {
		refuse(d.post("/token", form("grant_type", "client_credentials", "audience", "reservations"), change))
	}
	d.post("/introspect", d.by("web", "token", next.Refresh))
	d.post("/revoke", d.by("web", "token", next.Access))
	refuse(d.post("/revoke", d.by("rival", "token", d.must(d.redeem("web", guest.code())).Refresh)))
	refuse(guest.get("/revocations"))
	guest.get(signInRequest("redirect_uri", "https://app.hotel.test/"+secret))
	guest.get(signInRequest("scope", secret))

	d.search(t, found, shown.String())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of what the suite itself wrote
	}
	return v
}

// search looks through what was written and shown.
func (d *desk) search(t *testing.T, found spill, shown string) {
	// The last happenings are in the logs before the search begins.
	read := func(file string) string { return string(must(os.ReadFile(filepath.Join(d.dir, file)))) }
	last := d.post("/token", form("client_id", "x", "the-last", "happening")).header.Get("X-Request-Id")
	d.event(d.send("GET", "/v1/the-last-request", "", "").header.Get("X-Request-Id"))
	until(t, "the event "+last, 10*time.Second, func() bool { return strings.Contains(read("authserver.out"), last) })
	written := map[string]string{
		"the token service's events": read("authserver.out"), "the gateway's events": read("gateway.out"),
		"the token service's log": d.auth.said(), "the gateway's log": d.gateway.said(), "the mail sink's log": d.sink.said(), "an answer": shown,
	}
	for name, ops := range map[string]string{"the token service": d.authOps, "the gateway": d.opsURL} {
		for _, path := range []string{"/metrics", "/status", "/readyz"} {
			res := must(http.Get(ops + path))
			var text strings.Builder
			_ = must(copyTo(&text, res.Body))
			_ = res.Body.Close()
			written[path+" of "+name] = text.String()
		}
	}
	files := must(filepath.Glob(filepath.Join(d.data(), "audit", "*")))
	for _, file := range append(files, filepath.Join(d.data(), "authserver.db"), filepath.Join(d.data(), "authserver.db-wal")) {
		written[file] = string(must(os.ReadFile(file)))
	}
	// What must be there, or the search proves nothing.
	for place, text := range map[string]string{
		files[0]: "it was used before", "the token service's events": "oauth.token.id", "/metrics of the token service": "authserver_token_requests_total", "an answer": "invalid_grant", "the gateway's events": `"/e2e/echo"`,
	} {
		if !strings.Contains(written[place], text) {
			t.Errorf("%s does not hold %q", place, text)
		}
	}
	if len(found) < 15 {
		t.Errorf("only %d secrets are looked for", len(found))
	}
	alike := regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{40,}|pc[scr]_[A-Za-z0-9_-]{30,}|BEGIN [A-Z ]*PRIVATE KEY`)
	for place, text := range written {
		for name, secret := range found {
			if len(secret) < 16 {
				t.Errorf("%s is too short to be looked for", name)
			}
			for _, spelling := range []string{secret, url.QueryEscape(secret), strings.ReplaceAll(secret, " ", "%20")} {
				if strings.Contains(text, spelling) {
					t.Errorf("%s is in %s", name, place)
					break
				}
			}
		}
		if m := alike.FindString(text); m != "" {
			t.Errorf("%s holds %.24s..., which looks like a secret", place, m)
		}
	}
}
