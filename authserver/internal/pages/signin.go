package pages

import (
	"errors"
	"net/http"

	"portcullis/authserver/internal/accounts"
)

func (p *Pages) signInView(email, goOn string) (view, *formView) {
	f := &formView{
		Action: signInPath, Button: "Sign in", Hidden: carry(goOn),
		Fields: []field{emailField(email, "username"), passwordField("password", "Password", "current-password")},
	}
	return view{
		Title: "Sign in", Form: f,
		Links: []link{{"Forgotten your password?", "Choose a new one", resetPath}, {"No account yet?", "Create one", with(signUpPath, goOn)}},
	}, f
}

func (p *Pages) signInPage(w http.ResponseWriter, r *http.Request) {
	to := goOn(query(r).Get("continue"))
	if _, ok := p.Current(r); ok && to == "" {
		p.send(w, r, accountPath)
		return
	}
	v, f := p.signInView("", to)
	v.mark(f, nil)
	p.show(w, r, http.StatusOK, v)
}

func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	values := sent(r)
	email, to := values.Get("email"), goOn(values.Get("continue"))
	text, _, err := p.cfg.Accounts.SignIn(r.Context(), caller(r), email, values.Get("password"), held(r))
	if errors.Is(err, accounts.ErrUnverified) {
		remember(w, to)
		p.unverified(w, r, email)
		return
	}
	if err != nil {
		v, f := p.signInView(email, to)
		p.refuse(w, r, v, f, err)
		return
	}
	setCookie(w, sessionCookie, text, 0)
	p.arrive(w, r, to)
}

// unverified is shown to those who know the password.
func (p *Pages) unverified(w http.ResponseWriter, r *http.Request, email string) {
	p.show(w, r, http.StatusForbidden, view{
		Title: "Confirm your address first",
		Says: []string{
			"Your password is right, but the address is not confirmed yet. Open the link in the mail that we have sent you.",
			"If the mail is lost or older than a day, have it sent again.",
		},
		Form:  &formView{Action: verifyAgainPath, Button: "Send the mail again", Hidden: []hidden{{"email", email}}},
		Links: []link{{"", "Back to sign in", signInPath}},
	})
}
