package pages

import (
	"errors"
	"net/http"

	"portcullis/authserver/internal/accounts"
)

func (p *Pages) resetView(email string) (view, *formView) {
	f := &formView{Action: resetPath, Button: "Send the mail", Fields: []field{emailField(email, "email")}}
	return view{
		Title: "Choose a new password", Form: f,
		Says:  []string{"Type the address of your account. We will send you a link for choosing a new password."},
		Links: []link{{"Do you remember it?", "Sign in", signInPath}},
	}, f
}

func (p *Pages) resetPage(w http.ResponseWriter, r *http.Request) {
	v, f := p.resetView("")
	v.mark(f, nil)
	p.show(w, r, http.StatusOK, v)
}

func (p *Pages) reset(w http.ResponseWriter, r *http.Request) {
	email := sent(r).Get("email")
	if err := p.cfg.Accounts.RequestReset(r.Context(), caller(r), email); err != nil {
		v, f := p.resetView(email)
		p.refuse(w, r, v, f, err)
		return
	}
	p.send(w, r, resetSentPath)
}

func (p *Pages) resetSent(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, view{
		Title: "Check your mail",
		Says: []string{
			"If there is an account with that address, a mail with a link is on its way. The link is good for one hour.",
			"No mail after some minutes? Look in your spam folder, and think whether you signed up with another address.",
		},
		Links: []link{{"", "Type the address again", resetPath}, {"", "Back to sign in", signInPath}},
	})
}

func (p *Pages) confirmView(email, token string) (view, *formView) {
	address := emailField(email, "username")
	address.ReadOnly = true
	f := &formView{
		Action: resetConfirmPath, Button: "Save the password", Hidden: []hidden{{"token", token}},
		Fields: []field{address, passwordField("password", "New password", "new-password")},
	}
	return view{
		Title: "Choose a new password", Form: f,
		Says: []string{"This signs you out everywhere, so that nobody goes on with the old password."},
	}, f
}

// confirmPage uses nothing up, as verifyPage.
func (p *Pages) confirmPage(w http.ResponseWriter, r *http.Request) {
	token := query(r).Get("token")
	email, err := p.cfg.Accounts.ResetEmail(r.Context(), token)
	if err != nil {
		p.badLink(w, r, err)
		return
	}
	v, f := p.confirmView(email, token)
	v.mark(f, nil)
	p.show(w, r, http.StatusOK, v)
}

func (p *Pages) confirm(w http.ResponseWriter, r *http.Request) {
	token := sent(r).Get("token")
	err := p.cfg.Accounts.Reset(r.Context(), caller(r), token, sent(r).Get("password"))
	if errors.Is(err, accounts.ErrLink) {
		p.badLink(w, r, err)
		return
	}
	if err != nil {
		email, errLink := p.cfg.Accounts.ResetEmail(r.Context(), token)
		if errLink != nil {
			p.badLink(w, r, errLink)
			return
		}
		v, f := p.confirmView(email, token)
		p.refuse(w, r, v, f, err)
		return
	}
	setCookie(w, sessionCookie, "", -1)
	p.send(w, r, resetDonePath)
}

func (p *Pages) resetDone(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, view{
		Title:  "Your password is changed",
		Says:   []string{"Every session of your account has ended. Sign in with the new password."},
		Button: &link{Text: "Sign in", Href: signInPath},
	})
}
