package pages

import (
	"errors"
	"net/http"

	"portcullis/authserver/internal/accounts"
)

// accountView shows who is signed in; false if nobody is, and then it has
// answered.
func (p *Pages) accountView(w http.ResponseWriter, r *http.Request) (view, bool) {
	current, all, err := p.cfg.Accounts.Sessions(r.Context(), held(r))
	if errors.Is(err, accounts.ErrNoSession) {
		p.send(w, r, signInPath)
		return view{}, false
	}
	if err != nil {
		p.fault(w, r, err)
		return view{}, false
	}
	a := &accountView{
		Email: current.Email, Subject: current.Subject, SignedIn: current.AuthTime.UTC(),
		SignOut: &formView{Action: signOutPath, Button: "Sign out", Kind: "quiet"},
		Password: &formView{Action: passwordPath, Button: "Change password", Hidden: []hidden{{"email", current.Email}}, Fields: []field{
			passwordField("password", "Current password", "current-password"), passwordField("new", "New password", "new-password"),
		}},
		Everywhere: &formView{Action: everywherePath, Button: "Sign out everywhere", Kind: "grave"},
	}
	for _, each := range all {
		a.Sessions = append(a.Sessions, sessionView{each.Created.UTC(), each.Seen.UTC(), each.Same(current)})
	}
	return view{Title: "Your account", Account: a}, true
}

func (p *Pages) accountPage(w http.ResponseWriter, r *http.Request) {
	v, ok := p.accountView(w, r)
	if !ok {
		return
	}
	if query(r).Get("done") == "password" {
		v.Done = "Your password is changed, and every other session has ended."
	}
	p.show(w, r, http.StatusOK, v)
}

func (p *Pages) changePassword(w http.ResponseWriter, r *http.Request) {
	err := p.cfg.Accounts.ChangePassword(r.Context(), caller(r), held(r), sent(r).Get("password"), sent(r).Get("new"))
	if err == nil {
		p.send(w, r, accountPath+"?done=password")
		return
	}
	v, ok := p.accountView(w, r)
	if !ok {
		return
	}
	p.refuse(w, r, v, v.Account.Password, err)
}

func (p *Pages) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	err := p.cfg.Accounts.SignOutEverywhere(r.Context(), caller(r), held(r))
	if err != nil && !errors.Is(err, accounts.ErrNoSession) {
		p.fault(w, r, err)
		return
	}
	setCookie(w, sessionCookie, "", -1)
	p.send(w, r, signedOutPath)
}
