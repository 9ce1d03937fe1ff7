package pages

import (
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"portcullis/authserver/internal/accounts"
)

const (
	// sessionCookie: __Host- keeps other hosts, other paths and plain http from
	// planting one.
	sessionCookie = "__Host-portcullis-session"
	// goOnCookie remembers, over the mail that confirms an address, which
	// application the person was on the way to.
	goOnCookie = "__Host-portcullis-continue"
	goOnLife   = time.Hour
	// maxGoOn bounds what goOnCookie holds: browsers keep 4096 bytes of a
	// cookie, name and base64 included.
	maxGoOn = 2800
)

func setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// cookie is the value of a cookie, if there is exactly one of its name.
func cookie(r *http.Request, name string) string {
	if all := r.CookiesNamed(name); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

// held is the session that the browser holds, good or not.
func held(r *http.Request) string { return cookie(r, sessionCookie) }

// Current is who is signed in, if anybody is.
func (p *Pages) Current(r *http.Request) (Session, bool) {
	s, err := p.cfg.Accounts.Session(r.Context(), held(r))
	if err != nil {
		if !errors.Is(err, accounts.ErrNoSession) && r.Context().Err() == nil {
			p.cfg.Log.Error("a session could not be looked up", "request_id", requestID(r), "error", err)
		}
		return Session{}, false
	}
	return Session{Subject: s.Subject, Email: s.Email, Verified: s.Verified, AuthTime: s.AuthTime}, true
}

// remember keeps where to go on to until the address is confirmed.
func remember(w http.ResponseWriter, goOn string) {
	if goOn != "" && len(goOn) <= maxGoOn {
		setCookie(w, goOnCookie, base64.RawURLEncoding.EncodeToString([]byte(goOn)), int(goOnLife.Seconds()))
	}
}

// remembered is what remember has kept, and forgets it.
func remembered(w http.ResponseWriter, r *http.Request) string {
	raw, err := base64.RawURLEncoding.DecodeString(cookie(r, goOnCookie))
	if err != nil || len(raw) == 0 {
		return ""
	}
	setCookie(w, goOnCookie, "", -1)
	return goOn(string(raw))
}
