package e2e

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// visitor is a person as the network sees one: a browser with cookies, and no
// screen. Who looks at pages is a person.
type visitor struct {
	t               *testing.T
	s               *system
	client          *http.Client
	email, password string
}

// newVisitor is one who has done nothing yet.
func (s *system) newVisitor(email string) *visitor {
	s.t.Helper()
	v := &visitor{t: s.t, s: s, email: email, password: "correct horse of " + email}
	v.browse()
	return v
}

// browse begins with a browser that has no cookies.
func (v *visitor) browse() {
	v.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.client = v.s.newClient()
	v.client.Jar = jar
}

// member is a visitor who has signed up, confirmed the address and is signed in.
func (s *system) member(email string) *visitor {
	s.t.Helper()
	v := s.newVisitor(email)
	v.signUp()
	return v
}

// get opens a page of the token service.
func (v *visitor) get(target string) answer {
	v.t.Helper()
	res, err := v.client.Get(v.s.authURL + target)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// submit sends a form as a browser does. While all who hash passwords are busy,
// it does what the page says, and tries again.
func (v *visitor) submit(path string, pairs ...string) answer {
	v.t.Helper()
	var a answer
	until(v.t, "the form of "+path+" is taken", 30*time.Second, func() bool {
		var err error
		a, err = v.s.tryPost(v.client, v.s.authURL+path, form(pairs...).Encode(), func(r *http.Request) { r.Header.Set("Origin", v.s.authURL) })
		if err != nil {
			v.t.Fatal(err)
		}
		return a.status != http.StatusServiceUnavailable
	})
	return a
}

// signUp creates the account, reads the mail, and confirms the address, which
// signs in.
func (v *visitor) signUp() {
	v.t.Helper()
	if a := v.submit("/signup", "email", v.email, "password", v.password); a.status != http.StatusSeeOther {
		v.t.Fatalf("signing up: %d %s", a.status, a.body)
	}
	link := v.link("/verify", 1)
	if a := v.get(link.RequestURI()); a.status != http.StatusOK {
		v.t.Fatalf("the link of the mail: %d %s", a.status, a.body)
	}
	if a := v.submit("/verify", "email", v.email, "password", v.password, "token", link.Query().Get("token")); a.status != http.StatusSeeOther {
		v.t.Fatalf("confirming the address: %d %s", a.status, a.body)
	}
}

// signIn types the password.
func (v *visitor) signIn() answer {
	v.t.Helper()
	return v.submit("/signin", "email", v.email, "password", v.password)
}

// link is the one to a path of ours in the nth mail to the person.
func (v *visitor) link(path string, nth int) *url.URL {
	v.t.Helper()
	text := v.s.sink.mail(v.email, nth).Text
	found := regexp.MustCompile(regexp.QuoteMeta(v.s.authURL+path) + `\S*`).FindString(text)
	u, err := url.Parse(html.UnescapeString(found))
	if found == "" || err != nil {
		v.t.Fatalf("the mail has no link to %s: %s", path, text)
	}
	return u
}

// A code_verifier and its challenge (RFC 7636, appendix B).
const (
	codeVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	codeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	callback      = "https://app.hotel.test/callback"
	state         = "the state of the client"
)

// signInRequest is what the client web asks of the authorization endpoint,
// changed by pairs: an empty value takes a parameter out.
func signInRequest(pairs ...string) string {
	q := form("response_type", "code", "client_id", "web", "redirect_uri", callback, "state", state,
		"code_challenge", codeChallenge, "code_challenge_method", "S256", "scope", "e2e")
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "/authorize?" + q.Encode()
}

// authorize opens the authorization endpoint, signed in, and gives where the
// browser is sent.
func (v *visitor) authorize(pairs ...string) *url.URL {
	v.t.Helper()
	a := v.get(signInRequest(pairs...))
	to, err := url.Parse(a.header.Get("Location"))
	if a.status != http.StatusSeeOther || err != nil {
		v.t.Fatalf("the authorization endpoint answered %d: %s", a.status, a.body)
	}
	return to
}

// code is one of the person's for a client.
func (v *visitor) code(pairs ...string) string {
	v.t.Helper()
	to := v.authorize(pairs...)
	code := to.Query().Get("code")
	if !strings.HasPrefix(code, "pcc_") {
		v.t.Fatalf("no code: %s", to)
	}
	return code
}

// redeem asks for the tokens of a code, as its client would; pairs change that.
func (d *desk) redeem(client, code string, pairs ...string) answer {
	d.t.Helper()
	f := d.by(client, "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", codeVerifier)
	for i := 0; i < len(pairs); i += 2 {
		f.Del(pairs[i])
		if pairs[i+1] != "" {
			f.Set(pairs[i], pairs[i+1])
		}
	}
	return d.post("/token", f)
}

// renew asks for new tokens for a refresh token.
func (d *desk) renew(client, refresh string) answer {
	d.t.Helper()
	return d.post("/token", d.by(client, "grant_type", "refresh_token", "refresh_token", refresh))
}
