package oauth

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
)

const (
	// codeLife is how long a code may take from browser to client (RFC 6749 4.1.2
	// says ten minutes at most; a redirect takes a second).
	codeLife = time.Minute
	// queryBytes bounds an authorization request; it travels through the sign-in.
	queryBytes = 4 << 10
	// stateBytes bounds what a client may have us carry back.
	stateBytes = 1 << 10
)

// authorization is a request of RFC 6749 4.1.1 whose client and redirect URI are
// known to belong together: from here on errors go to the client.
type authorization struct {
	client   issue.Client
	redirect string
	form     form
}

// authorize lets a person grant a client a sign-in. There is no page that asks
// for consent: clients stand in a reviewed file and are the operator's own.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	a, err := s.readAuthorization(r)
	if err != nil {
		s.refuseByPage(w, r, err)
		return
	}
	location, err := s.grant(w, r, a)
	if err != nil {
		s.refuseByRedirect(w, r, a, err)
		return
	}
	if location != "" {
		http.Redirect(w, r, location, http.StatusSeeOther)
	}
}

// readAuthorization finds out whom an answer may be sent to. Until that is
// settled nobody is redirected anywhere (RFC 9700 4.11).
func (s *Server) readAuthorization(r *http.Request) (authorization, error) {
	var a authorization
	if len(r.URL.RawQuery) > queryBytes {
		return a, badRequest("the request is too long")
	}
	f, err := parseForm(r.URL.RawQuery)
	if err != nil {
		return a, err
	}
	client, known, err := s.cfg.Clients.Client(r.Context(), bound(f.get("client_id"), idBytes))
	if err != nil {
		return a, err
	}
	if !known {
		return a, badRequest("there is no such client")
	}
	redirect := f.get("redirect_uri")
	if redirect == "" {
		return a, badRequest("the parameter redirect_uri is missing")
	}
	if !registered(client.Redirects, redirect) {
		return a, badRequest("the redirect_uri is not one of the client's")
	}
	return authorization{client, redirect, f}, nil
}

// grant decides on the request and returns where the browser goes next; empty
// when a page was written instead. Its errors are for the client.
func (s *Server) grant(w http.ResponseWriter, r *http.Request, a authorization) (string, error) {
	if err := checkAuthorization(a.form); err != nil {
		return "", err
	}
	audience, scopes, err := issue.Authorize(issue.Request{Client: a.client, Audiences: a.form.audiences, Scope: a.form.get("scope")})
	if err != nil {
		return "", err
	}
	session, signedIn := s.cfg.People.Current(r)
	now := s.now()
	if !signedIn || stale(a.form, session.AuthTime, now) {
		if a.form.get("prompt") == "none" {
			return "", &refusal{code: "login_required", description: "nobody is signed in"}
		}
		s.cfg.People.SignIn(w, r, withoutPrompt(r.URL.RawQuery))
		return "", nil
	}
	value, kept := newSecret(codePrefix)
	code := store.Code{
		Redirect: a.redirect, Challenge: a.form.get("code_challenge"), Expires: now.Add(codeLife),
		Grant: store.Grant{
			ID: rand.Text(), Client: a.client.ID, Subject: session.Subject, Audience: audience, Scopes: scopes,
			Nonce: a.form.get("nonce"), AuthTime: session.AuthTime, Created: now, Expires: now.Add(a.client.SignInLife()),
		},
	}
	if err := s.cfg.Grants.AddCode(r.Context(), kept, code); err != nil {
		return "", err
	}
	// Once more: a sign-out or a new password may have come between, and has ended
	// what there was then. One that comes after this finds the new grant.
	if again, ok := s.cfg.People.Current(r); !ok || again.Subject != session.Subject {
		if err := s.cfg.Grants.EndGrant(r.Context(), code.Grant.ID, now, issue.LastExpiry(now)); err != nil {
			return "", err
		}
		return "", &refusal{code: "login_required", description: "nobody is signed in any more"}
	}
	if err := s.record(r, happening{
		Outcome: success, Client: a.client.ID, Subject: session.Subject, TokenID: code.Grant.ID, Audience: audience, Scopes: scopes,
	}); err != nil {
		return "", err
	}
	s.requests.WithLabelValues("authorized").Inc()
	return s.answerTo(a, url.Values{"code": {value}}), nil
}

// checkAuthorization refuses what is not spoken here, in the words of RFC 6749
// 4.1.2.1 and OpenID Connect Core 3.1.2.6.
func checkAuthorization(f form) error {
	switch {
	case f.get("request") != "":
		return &refusal{code: "request_not_supported", description: "request objects are not supported"}
	case f.get("request_uri") != "":
		return &refusal{code: "request_uri_not_supported", description: "request objects are not supported"}
	case f.get("response_type") == "":
		return badRequest("the parameter response_type is missing")
	case f.get("response_type") != "code":
		return &refusal{code: "unsupported_response_type", description: "the response_type must be code"}
	case f.get("response_mode") != "" && f.get("response_mode") != "query":
		return badRequest("the response_mode must be query")
	case f.get("code_challenge") == "":
		return badRequest("the parameter code_challenge is missing: PKCE is required")
	case f.get("code_challenge_method") != "S256":
		return badRequest("the code_challenge_method must be S256")
	case !isChallenge(f.get("code_challenge")):
		return badRequest("the code_challenge is not a SHA-256 in base64url")
	case len(f.get("state")) > stateBytes || len(f.get("nonce")) > stateBytes:
		return badRequest("state or nonce is too long")
	case f.get("prompt") != "" && f.get("prompt") != "none" && f.get("prompt") != "login":
		return badRequest("the prompt must be none or login")
	case f.get("max_age") != "":
		if age, err := strconv.Atoi(f.get("max_age")); err != nil || age < 0 {
			return badRequest("max_age is not a number of seconds")
		}
	}
	return nil
}

// stale reports whether the person must sign in again although a session is there.
func stale(f form, signedIn, now time.Time) bool {
	if f.get("prompt") == "login" {
		return true
	}
	if f.get("max_age") == "" {
		return false
	}
	age, err := strconv.Atoi(f.get("max_age"))
	return err != nil || now.Sub(signedIn).Seconds() > float64(age)
}

// withoutPrompt is the request that goes on after a sign-in. With prompt=login
// still in it, or max_age=0, it would ask for another sign-in for ever; a greater
// max_age holds by itself.
func withoutPrompt(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, _ := url.QueryUnescape(rawName)
		value, _ := url.QueryUnescape(rawValue)
		if age, err := strconv.Atoi(value); name == "prompt" || name == "max_age" && err == nil && age == 0 {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// answerTo is the redirect URI with an answer: the client's state as it sent it,
// and who we are (RFC 9207), so that a client of several services cannot be made
// to take one's code to another.
func (s *Server) answerTo(a authorization, answer url.Values) string {
	if state := a.form.get("state"); state != "" {
		answer.Set("state", state)
	}
	answer.Set("iss", s.cfg.Issuer)
	return withQuery(a.redirect, answer)
}

// withQuery is a URI of a client's with more in its query.
func withQuery(uri string, more url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + more.Encode()
}

// refuseByRedirect tells the client, through the browser.
func (s *Server) refuseByRedirect(w http.ResponseWriter, r *http.Request, a authorization, err error) {
	no, reason := s.explain(r, err)
	if !s.refused(r, no, happening{Client: a.client.ID, Reason: reason}) {
		no = &refusal{code: codeFault}
	}
	answer := url.Values{"error": {no.code}}
	if no.description != "" {
		answer.Set("error_description", no.description)
	}
	http.Redirect(w, r, s.answerTo(a, answer), http.StatusSeeOther)
}

// refuseByPage tells the person that a sign-in or a sign-out cannot go on,
// because nobody else can be told safely.
func (s *Server) refuseByPage(w http.ResponseWriter, r *http.Request, err error) {
	no, reason := s.explain(r, err)
	s.refused(r, no, happening{Reason: reason}) // nothing is given away by a page
	what := "sign-in"
	if r.URL.Path == logoutPath {
		what = "sign-out"
	}
	switch no.status {
	case http.StatusTooManyRequests:
		s.cfg.People.Error(w, r, no.status, "Too many requests", "Too many came from where you are.", "Wait a minute and try again.")
	case http.StatusInternalServerError:
		s.cfg.People.Error(w, r, no.status, "That did not work", "Something went wrong on our side.",
			"Try again in a minute. If it goes on, ask for help and quote the number below.")
	default:
		s.cfg.People.Error(w, r, no.status, "This "+what+" cannot go on",
			"The site that sent you here asked for something that is not allowed: "+no.description+".",
			"Go back to the site and start again. If it happens once more, tell whoever runs the site.")
	}
}

// registered reports whether a redirect URI is one of the client's, character by
// character. A native app cannot know its port beforehand, so that of a loopback
// address may differ (RFC 8252 7.3).
func registered(uris []string, uri string) bool {
	for _, known := range uris {
		if known == uri || samePortless(known, uri) {
			return true
		}
	}
	return false
}

func samePortless(known, uri string) bool {
	k, errK := url.Parse(known)
	u, errU := url.Parse(uri)
	if err := errors.Join(errK, errU); err != nil || k.Scheme != "http" || !loopback(k.Hostname()) {
		return false
	}
	// Everything but the port is compared as it is spelled: a parser may take two
	// spellings for one that a browser takes for two.
	return uri == strings.Replace(known, k.Host, u.Host, 1) && u.Hostname() == k.Hostname() && u.Host == hostPort(k, u.Port())
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" }

func hostPort(k *url.URL, port string) string {
	host := k.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		return host
	}
	return host + ":" + port
}

// bound is text, or empty where it is longer than anything of ours.
func bound(text string, most int) string {
	if len(text) > most {
		return ""
	}
	return text
}
