package e2e

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to make an hour pass
)

// withMail starts a sink, and has the token service send its mail there: only
// then it knows people.
func (s *system) withMail() {
	s.t.Helper()
	s.sink = startSink(s.t, s.dir, s.authority)
	s.authArgs = append(s.authArgs, "--smtp", s.sink.smtp, "--smtp-ca", s.authority.CA(), "--mail-from", "no-reply@hotel.test")
}

// person is somebody with a browser, an address and a password. What mail came
// they read in the sink's inbox.
type person struct {
	*browser
	s               *system
	email, password string
	mails           int // read so far
}

// in is the person in a test below the one that they were made for.
func (p person) in(t *testing.T) *person {
	b := *p.browser
	b.t = t
	p.browser = &b
	return &p
}

// send fills in the form that leads to a path, field by field, and sends it.
func (p *person) send(action string, fields ...string) {
	p.t.Helper()
	form := "form[action=" + strconv.Quote(action) + "] "
	for i := 0; i < len(fields); i += 2 {
		p.fill(form+"[name="+fields[i]+"]", fields[i+1])
	}
	p.follow(form + "button")
}

// visit goes to the page of the token service at a path.
func (p *person) visit(path string) {
	p.t.Helper()
	p.open(p.s.authURL + path)
}

var mailLink = regexp.MustCompile(`https://\S+`)

// read opens the next mail in the inbox, and gives the link in it.
func (p *person) read(subject string) string {
	p.t.Helper()
	p.mails++
	m := p.s.sink.mail(p.email, p.mails)
	if m.Subject != subject {
		p.t.Fatalf("mail %d to %s is about %q, not %q", p.mails, p.email, m.Subject, subject)
	}
	p.open(p.s.sink.inboxURL)
	p.follow(link("/messages/" + strconv.Itoa(m.ID)))
	if got := p.text("h1"); got != subject {
		p.t.Fatalf("the mail is headed %q, not %q", got, subject)
	}
	return mailLink.FindString(m.Text)
}

// join makes an account and confirms it, from a page that has a link to that.
func (p *person) join() {
	p.t.Helper()
	p.send("/signup", "email", p.email, "password", p.password)
	p.says("Check your mail", "")
	p.read("Confirm your e-mail address")
	p.follow("#text a")
	p.send("/verify", "password", p.password)
}

// TestAPersonAndTheirAccount is the life of an account, with nothing but a
// keyboard, in a browser that runs scripts and in one that does not.
func TestAPersonAndTheirAccount(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.addClients("https://app.hotel.test")
	s.withMail()
	s.startAuth()
	for name, script := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &person{browser: newBrowser(t, s.authority.CA(), script), s: s, email: "ada" + strconv.FormatBool(script) + "@guest.test", password: "four words and a comma"}
			p.signsUp()
			p.confirms()
			p.changesThePassword()
			p.signsOutAndForgetsThePassword()
			p.isToldOfBadLinks()
			p.isNotMisled()
		})
	}
}

func (p *person) signsUp() {
	p.t.Helper()
	p.visit("/signup")
	p.look("sign-up")
	p.send("/signup", "email", p.email, "password", "short")
	p.says("Create your account", "This password is too short: use 8 characters or more.")
	p.look("sign-up-refused")
	p.send("/signup", "password", p.password) // the address is still there
	p.says("Check your mail", "look in your spam folder")
	p.look("sign-up-done")

	p.visit("/signin")
	p.look("sign-in")
	p.send("/signin", "email", p.email, "password", p.password)
	p.says("Confirm your address first", "Open the link in the mail that we have sent you.")
	p.look("not-confirmed")
	p.send("/verify/again")
	p.says("Check your mail", "")
}

func (p *person) confirms() {
	p.t.Helper()
	p.read("Confirm your e-mail address")
	p.follow("#text a")
	p.says("This link is not good any more", "a newer mail has replaced it")
	used := p.read("Confirm your e-mail address")
	p.narrow()
	p.screenshot("mail")
	p.follow("#text a")
	p.says("Confirm your address", "Type the password that you chose")
	p.look("confirm")
	p.send("/verify", "password", "not what I chose")
	p.says("Confirm your address", "The password is not right.")
	p.look("confirm-refused")
	p.send("/verify", "password", p.password)
	p.at(p.s.authURL + "/account")
	p.says("Your account", p.email)
	p.look("account")

	p.open(used)
	p.says("This link is not good any more", "It was used already")
	p.look("used-link")
}

func (p *person) changesThePassword() {
	p.t.Helper()
	p.visit("/account")
	p.send("/account/password", "password", "not what I chose", "new", "five words and no comma")
	p.says("Your account", "The password is not right.")
	p.look("account-refused")
	p.send("/account/password", "password", p.password, "new", "five words and no comma")
	p.says("Your account", "Your password is changed")
	p.look("account-changed")
}

// The new password is forgotten at once, and the old one typed.
func (p *person) signsOutAndForgetsThePassword() {
	p.t.Helper()
	p.send("/signout")
	p.says("You are signed out", "close its browser as well")
	p.look("signed-out")
	p.visit("/account")
	p.at(p.s.authURL + "/signin")

	p.send("/signin", "email", p.email, "password", p.password)
	p.says("Sign in", "The e-mail address or the password is not right.")
	p.look("sign-in-refused")
	p.follow(link("/reset"))
	p.look("reset")
	p.send("/reset", "email", p.email)
	p.says("Check your mail", "The link is good for one hour.")
	p.look("reset-sent")
	p.read("Choose a new password")
	p.follow("#text a")
	p.says("Choose a new password", "This signs you out everywhere")
	p.look("reset-confirm")
	p.password = "this time a whole sentence."
	p.send("/reset/confirm", "password", p.password)
	p.says("Your password is changed", "Sign in with the new password.")
	p.look("reset-done")
	p.follow(link("/signin"))
	p.send("/signin", "email", p.email, "password", p.password)
	p.says("Your account", p.email)
}

func (p *person) isToldOfBadLinks() {
	p.t.Helper()
	used := mailLink.FindString(p.s.sink.mail(p.email, p.mails).Text)
	p.open(used)
	p.says("This link is not good any more", "Nothing was changed.")

	p.visit("/reset")
	p.send("/reset", "email", p.email)
	p.read("Choose a new password")
	p.follow("#text a")
	p.says("Choose a new password", "")
	p.s.hour(p.email)
	p.send("/reset/confirm", "password", "one that comes too late")
	p.says("This link is not good any more", "it is too old")
}

// hour is an hour that passes for the links in somebody's mail.
func (s *system) hour(email string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data(), "authserver.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	done, err := db.ExecContext(s.t.Context(), "UPDATE mail_tokens SET expires = expires - 3600000 WHERE account = (SELECT id FROM accounts WHERE email = ?)", email)
	if err != nil {
		s.t.Fatal(err)
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		s.t.Fatalf("%s has no link: %v", email, err)
	}
}

// Whoever is sent here with a request that cannot be right stays here and is
// told so: nobody is sent on to an address that the client did not register.
func (p *person) isNotMisled() {
	p.t.Helper()
	request := func(change func(url.Values)) string {
		q := url.Values{
			"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {"https://app.hotel.test/callback"}, "resource": {audience}, "state": {"s"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
		}
		change(q)
		return "/authorize?" + q.Encode()
	}
	for what, c := range map[string]struct{ path, title, text string }{
		"an address that the client did not register": {
			request(func(q url.Values) { q.Set("redirect_uri", "https://app.hotel.test.evil.test/callback") }),
			"This sign-in cannot go on", "the redirect_uri is not one of the client's",
		},
		"a client that nobody registered": {
			request(func(q url.Values) { q.Set("client_id", "wep") }), "This sign-in cannot go on", "there is no such client",
		},
		"a parameter that was added": {
			request(func(q url.Values) { q.Add("client_id", "demo") }), "This sign-in cannot go on", "a parameter stands twice",
		},
		"a sign-out to an unknown address": {
			"/logout?client_id=web&post_logout_redirect_uri=" + url.QueryEscape("https://evil.test/"),
			"This sign-out cannot go on", "the post_logout_redirect_uri is not one of the client's",
		},
	} {
		p.visit(c.path)
		if got := p.text("body"); p.text("h1") != c.title || !strings.Contains(got, c.text) || p.url() != p.s.authURL+c.path {
			p.t.Errorf("%s: the browser is at %s, which says\n%s", what, p.url(), got)
		}
		p.sees("Go back to the site and start again.")
	}
	p.look("cannot-go-on")
	p.visit("/acount")
	p.says("There is no such page", "Check the address")
	p.look("no-page")
	p.visit("/logout?client_id=web")
	p.says("Do you want to sign out?", "An application has asked")
	p.look("confirm-sign-out")
	p.send("/signout")
	p.says("You are signed out", "")
}
