// Package pages is what people see of the token service: signing up and in,
// resetting a password, their account, and what went wrong. The pages need no
// script and have none, work by keyboard alone, and tell a stranger nothing
// about who has an account. Every address here is below the issuer.
package pages

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"portcullis/authserver/internal/accounts"
)

// The paths served, and the only one that a sign-in goes on to.
const (
	signUpPath       = "/signup"
	signUpDonePath   = "/signup/done"
	verifyPath       = "/verify"
	verifyAgainPath  = "/verify/again"
	signInPath       = "/signin"
	continuePath     = "/continue"
	resetPath        = "/reset"
	resetSentPath    = "/reset/sent"
	resetConfirmPath = "/reset/confirm"
	resetDonePath    = "/reset/done"
	accountPath      = "/account"
	passwordPath     = "/account/password"
	everywherePath   = "/account/signout"
	signOutPath      = "/signout"
	signedOutPath    = "/signed-out"
	authorizePath    = "/authorize"
)

// Config is what the pages are made of.
type Config struct {
	Accounts *accounts.Accounts
	// Issuer is our URL; its host stands at the foot of each page.
	Issuer string
	// PostLogout says where a person who has signed out goes on to, given the
	// query of the logout request that ConfirmSignOut was called with; it must
	// check it anew, since it comes from a form. Empty for nowhere. Nil: never.
	PostLogout func(r *http.Request, query string) string
	// Rate is how many forms one source may send in a minute; default 60. It may
	// look at ten times as many pages.
	Rate int
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
}

// Pages answers with pages. It is safe for concurrent use.
type Pages struct {
	cfg    Config
	host   string
	page   *template.Template
	assets assets
	cross  *http.CrossOriginProtection
}

// Session is who is signed in.
type Session struct {
	// Subject is what tokens call the person.
	Subject, Email string
	Verified       bool
	// AuthTime is when the password was last typed.
	AuthTime time.Time
}

// New returns the pages.
func New(cfg Config) (*Pages, error) {
	if cfg.Accounts == nil {
		return nil, errors.New("pages need accounts")
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" {
		return nil, fmt.Errorf("the issuer %q is not an https URL: cookies of the pages are for https alone", cfg.Issuer)
	}
	if cfg.Rate < 0 {
		return nil, fmt.Errorf("the rate %d of forms is negative, and nothing is unlimited here", cfg.Rate)
	}
	if cfg.Rate == 0 {
		cfg.Rate = defaultRate
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pages{cfg: cfg, host: issuer.Host, cross: http.NewCrossOriginProtection()}
	if p.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if p.page, err = template.ParseFS(files, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	return p, nil
}

// Handler serves the pages and their assets; what it does not know is a page
// too, of status 404.
func (p *Pages) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(p.secure, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		p.Error(w, r, http.StatusNotFound, "There is no such page", "The address may be mistyped, or the page has moved.", "Check the address, or go back to where you came from.")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", p.allow(r.URL.Path))
		p.Error(w, r, http.StatusMethodNotAllowed, "That does not work here", "This page cannot be used in that way.", "Go back and follow the links and buttons of the pages.")
	})
	r.Get(assetsPath+"{name}", p.asset)

	read := r.With(p.limit(p.cfg.Rate * readFactor))
	read.Get(signUpPath, p.signUpPage)
	read.Get(signUpDonePath, p.signUpDone)
	read.Get(verifyPath, p.verifyPage)
	read.Get(signInPath, p.signInPage)
	read.Get(continuePath, p.continuePage)
	read.Get(resetPath, p.resetPage)
	read.Get(resetSentPath, p.resetSent)
	read.Get(resetConfirmPath, p.confirmPage)
	read.Get(resetDonePath, p.resetDone)
	read.Get(accountPath, p.accountPage)
	read.Get(signedOutPath, p.signedOutPage)

	write := r.With(p.limit(p.cfg.Rate), p.sameOrigin, p.readForm)
	for path, handle := range p.posts() {
		write.Post(path, handle)
	}
	return r
}

// posts are the forms that are sent here.
func (p *Pages) posts() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		signUpPath: p.signUp, verifyPath: p.verify, verifyAgainPath: p.verifyAgain, signInPath: p.signIn,
		resetPath: p.reset, resetConfirmPath: p.confirm, passwordPath: p.changePassword,
		everywherePath: p.signOutEverywhere, signOutPath: p.signOut,
	}
}

// allow is the Allow field of a path that is there, but not for this method.
func (p *Pages) allow(path string) string {
	_, posted := p.posts()[path]
	switch path {
	case signUpPath, verifyPath, signInPath, resetPath, resetConfirmPath:
		return "GET, HEAD, POST"
	}
	if posted {
		return "POST"
	}
	return "GET, HEAD"
}
