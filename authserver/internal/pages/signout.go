package pages

import "net/http"

// ConfirmSignOut asks whether the person wants to sign out, because any page
// can send a browser to the logout endpoint. query is that of the logout
// request; it comes back to Config.PostLogout when they have.
func (p *Pages) ConfirmSignOut(w http.ResponseWriter, r *http.Request, query string) {
	query = goOn(query)
	if _, ok := p.Current(r); !ok {
		p.SignedOut(w, r, p.next(r, query))
		return
	}
	f := &formView{Action: signOutPath, Button: "Sign out"}
	if query != "" {
		f.Hidden = []hidden{{"logout", query}}
	}
	p.show(w, r, http.StatusOK, view{
		Title: "Do you want to sign out?", Says: []string{"An application has asked to sign you out here as well."},
		Form: f, Links: []link{{"", "No, stay signed in", accountPath}},
	})
}

// next is where PostLogout lets somebody go on to.
func (p *Pages) next(r *http.Request, query string) string {
	if query == "" || p.cfg.PostLogout == nil {
		return ""
	}
	return p.cfg.PostLogout(r, query)
}

// SignOut ends the session that the browser holds, if any, and forgets it. It
// writes no answer but a cookie.
func (p *Pages) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.cfg.Accounts.SignOut(r.Context(), caller(r), held(r)); err != nil {
		return err
	}
	setCookie(w, sessionCookie, "", -1)
	return nil
}

func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	if err := p.SignOut(w, r); err != nil {
		p.fault(w, r, err)
		return
	}
	if next := p.next(r, goOn(sent(r).Get("logout"))); next != "" {
		p.SignedOut(w, r, next) // a page, not a redirect: see continuePage
		return
	}
	p.send(w, r, signedOutPath)
}

func (p *Pages) signedOutPage(w http.ResponseWriter, r *http.Request) { p.SignedOut(w, r, "") }

// SignedOut shows that nobody is signed in any more, and goes on to next, an
// address that the caller has checked; "" for nowhere.
func (p *Pages) SignedOut(w http.ResponseWriter, r *http.Request, next string) {
	v := view{
		Title: "You are signed out", Says: []string{"On a computer that others use, close its browser as well."},
		Links: []link{{"", "Sign in again", signInPath}},
	}
	if next != "" {
		v.Says, v.Links = []string{"You are on your way back to the application."}, nil
		v.Refresh, v.Button = next, &link{Text: "Continue", Href: next}
	}
	p.show(w, r, http.StatusOK, v)
}
