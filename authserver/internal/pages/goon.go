package pages

import (
	"net/http"
	"net/url"
	"strings"
)

// maxContinue bounds the query of an authorization request that is gone on
// with.
const maxContinue = 4 << 10

// goOn is the query of an authorization request to go on with, or "" for what
// cannot be one. It only ever stands behind our own /authorize?, which checks
// it as if it came from the application, so that nobody is sent elsewhere.
func goOn(query string) string {
	if len(query) > maxContinue || strings.ContainsFunc(query, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune("#\"'<>\\^`{|}", c)
	}) {
		return ""
	}
	return query
}

// with is a path of ours that remembers where to go on to.
func with(path, goOn string) string {
	if goOn == "" {
		return path
	}
	return path + "?continue=" + url.QueryEscape(goOn)
}

// SignIn sends the browser to sign in and then on to our own /authorize with
// this query. A query that cannot stand in a URL, or has more than 4 KiB, is
// dropped, and the person ends at their account. Take prompt=login out of it,
// or the person signs in for ever.
func (p *Pages) SignIn(w http.ResponseWriter, r *http.Request, continueQuery string) {
	p.send(w, r, with(signInPath, goOn(continueQuery)))
}

// send redirects to a path of ours.
func (p *Pages) send(w http.ResponseWriter, r *http.Request, to string) {
	guard(w.Header())
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// arrive sends somebody who has just signed in on.
func (p *Pages) arrive(w http.ResponseWriter, r *http.Request, goOn string) {
	if goOn == "" {
		p.send(w, r, accountPath)
		return
	}
	p.send(w, r, with(continuePath, goOn))
}

// continuePage goes on to /authorize by itself, or by its button where the
// browser does not. A redirect would not do: it would be part of sending the
// form, and Chromium holds that to form-action until its last step, which is
// the application's address on another origin.
func (p *Pages) continuePage(w http.ResponseWriter, r *http.Request) {
	to := goOn(query(r).Get("continue"))
	if to == "" {
		p.send(w, r, accountPath)
		return
	}
	to = authorizePath + "?" + to
	p.show(w, r, http.StatusOK, view{
		Title: "You are signed in", Says: []string{"You are on your way back to the application."},
		Refresh: to, Button: &link{Text: "Continue", Href: to},
	})
}
