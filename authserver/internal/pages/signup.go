package pages

import (
	"errors"
	"net/http"

	"portcullis/authserver/internal/accounts"
)

func (p *Pages) signUpView(email, goOn string) (view, *formView) {
	f := &formView{
		Action: signUpPath, Button: "Create account", Hidden: carry(goOn),
		Fields: []field{emailField(email, "username"), passwordField("password", "Password", "new-password")},
	}
	return view{
		Title: "Create your account", Says: []string{"We will send you a mail to confirm that the address is yours."}, Form: f,
		Links: []link{{"Do you have an account?", "Sign in", with(signInPath, goOn)}},
	}, f
}

// carry keeps where to go on to in a form.
func carry(goOn string) []hidden {
	if goOn == "" {
		return nil
	}
	return []hidden{{"continue", goOn}}
}

func (p *Pages) signUpPage(w http.ResponseWriter, r *http.Request) {
	v, f := p.signUpView("", goOn(query(r).Get("continue")))
	v.mark(f, nil)
	p.show(w, r, http.StatusOK, v)
}

func (p *Pages) signUp(w http.ResponseWriter, r *http.Request) {
	values := sent(r)
	email, to := values.Get("email"), goOn(values.Get("continue"))
	if err := p.cfg.Accounts.SignUp(r.Context(), caller(r), email, values.Get("password")); err != nil {
		v, f := p.signUpView(email, to)
		p.refuse(w, r, v, f, err)
		return
	}
	remember(w, to)
	p.send(w, r, signUpDonePath)
}

func (p *Pages) signUpDone(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, view{
		Title: "Check your mail",
		Says: []string{
			"We have sent you a mail that says how to go on. It should be there in a minute or two; if it is not, look in your spam folder.",
			"You can close this page.",
		},
		Links: []link{{"No mail, or a mistyped address?", "Start again", signUpPath}, {"Confirmed already?", "Sign in", signInPath}},
	})
}

func (p *Pages) verifyView(email, token string) (view, *formView) {
	address := emailField(email, "username")
	address.ReadOnly = true
	f := &formView{
		Action: verifyPath, Button: "Confirm and sign in", Hidden: []hidden{{"token", token}},
		Fields: []field{address, passwordField("password", "Password", "current-password")},
	}
	return view{
		Title: "Confirm your address", Form: f,
		Says:  []string{"Type the password that you chose when you created the account. It shows that the account is yours and not made by a stranger in your name."},
		Links: []link{{"Forgotten it, or never chose one?", "Choose a new one", resetPath}},
	}, f
}

// verifyPage uses nothing up: whatever scans mails for danger opens their links.
func (p *Pages) verifyPage(w http.ResponseWriter, r *http.Request) {
	token := query(r).Get("token")
	email, err := p.cfg.Accounts.VerifyEmail(r.Context(), token)
	if err != nil {
		p.badLink(w, r, err)
		return
	}
	v, f := p.verifyView(email, token)
	v.mark(f, nil)
	p.show(w, r, http.StatusOK, v)
}

func (p *Pages) verify(w http.ResponseWriter, r *http.Request) {
	token := sent(r).Get("token")
	text, _, err := p.cfg.Accounts.Verify(r.Context(), caller(r), token, sent(r).Get("password"), held(r))
	if errors.Is(err, accounts.ErrLink) {
		p.badLink(w, r, err)
		return
	}
	if err != nil {
		email, errLink := p.cfg.Accounts.VerifyEmail(r.Context(), token)
		if errLink != nil {
			p.badLink(w, r, errLink)
			return
		}
		v, f := p.verifyView(email, token)
		p.refuse(w, r, v, f, err)
		return
	}
	setCookie(w, sessionCookie, text, 0)
	p.arrive(w, r, remembered(w, r))
}

// verifyAgain sends the mail once more. Whoever asks for whomever: it answers
// as for a sign-up.
func (p *Pages) verifyAgain(w http.ResponseWriter, r *http.Request) {
	err := p.cfg.Accounts.SendVerification(r.Context(), sent(r).Get("email"))
	if _, invalid := errors.AsType[*accounts.InvalidError](err); err != nil && !invalid {
		p.fault(w, r, err)
		return
	}
	p.send(w, r, signUpDonePath)
}

// badLink says that a link in a mail is not good any more.
func (p *Pages) badLink(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, accounts.ErrLink) {
		p.fault(w, r, err)
		return
	}
	p.show(w, r, http.StatusGone, view{
		Title: "This link is not good any more",
		Says: []string{
			"It was used already, it is too old, or a newer mail has replaced it. Nothing was changed.",
			"If you have just confirmed your address, sign in. Otherwise ask for another mail.",
		},
		Button: &link{Text: "Sign in", Href: signInPath},
		Links:  []link{{"Forgotten your password?", "Choose a new one", resetPath}, {"No account yet?", "Create one", signUpPath}},
	})
}
