package booking

import (
	"errors"
	"net/http"
	"strings"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

const (
	// removalCookie remembers that this browser asked for a removal, since nobody
	// is signed in any more when it is done.
	removalCookie = "__Host-removal"
	removalLife   = 60 * 60
	maxPhone      = 32
)

type profileData struct {
	Email, Name, Phone string
	Saved              bool
	Wrong              map[string]string
	Charges            []hotel.Charge
	// NoCharges says that payments could not be asked.
	NoCharges bool
}

// profile serves GET /profile.
func (s *Service) profile(v *visit) error {
	subject, err := v.token()
	if err != nil {
		return err
	}
	p, _, err := s.guestProfile(v.r.Context(), subject, v.who.Guest)
	if err != nil {
		return err
	}
	return v.profilePage(http.StatusOK, subject, profileData{Name: p.Name, Phone: p.Phone, Saved: v.r.URL.Query().Has("saved")})
}

func (v *visit) profilePage(status int, subject string, d profileData) error {
	d.Email = v.who.tokens.Email
	charges, err := v.s.payments(v.r.Context(), subject, v.who.Guest)
	if err != nil {
		v.s.config.Log.Info("payments are unknown", "request_id", v.requestID(), "error", err.Error())
		d.NoCharges = true
	}
	d.Charges = charges[:min(len(charges), 10)]
	return v.show(status, "profile", view{Title: "Profile", Kind: "profile", Problem: len(d.Wrong) > 0, Data: d})
}

// saveProfile serves POST /profile.
func (s *Service) saveProfile(v *visit) error {
	f, err := v.readForm()
	if err != nil {
		return err
	}
	subject, err := v.token()
	if err != nil {
		return err
	}
	d := profileData{Name: f["name"], Phone: f["phone"], Wrong: map[string]string{}}
	switch {
	case d.Name == "":
		d.Wrong["name"] = "Please tell us your name."
	case !line(d.Name, hotel.MaxName):
		d.Wrong["name"] = "A name has at most 100 characters, on one line."
	}
	if d.Phone != "" && !phone(d.Phone) {
		d.Wrong["phone"] = "A phone number has digits, spaces and hyphens, such as +358 40 1234567."
	}
	if len(d.Wrong) > 0 {
		return v.profilePage(http.StatusUnprocessableEntity, subject, d)
	}
	err = s.updateProfile(v.r.Context(), subject, v.who.Guest, hotel.ProfileUpdate{Name: d.Name, Email: v.who.tokens.Email, Phone: d.Phone})
	if refused(err, http.StatusUnprocessableEntity) {
		d.Wrong["name"] = "This could not be saved as it stands. Check name and phone number."
		return v.profilePage(http.StatusUnprocessableEntity, subject, d)
	}
	if err != nil {
		return err
	}
	return v.send(profilePath + "?saved")
}

func phone(text string) bool {
	n := 0
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n++
		case c == '+' && i == 0, strings.ContainsRune(" -()/.", c):
		default:
			return false
		}
	}
	return n >= 5 && n <= 15 && len(text) <= maxPhone
}

// export serves GET /profile/export: all that is held of the guest, as a file.
func (s *Service) export(v *visit) error {
	subject, err := v.token()
	if err != nil {
		return err
	}
	body, err := s.everything(v.r.Context(), subject, v.who.Guest)
	if err != nil {
		return err
	}
	return v.pass(body, "application/json", "my-data.json")
}

// removeForm serves GET /profile/remove.
func (s *Service) removeForm(v *visit) error {
	if _, err := v.token(); err != nil {
		return err
	}
	return v.removePage(http.StatusOK, removeData{})
}

type removeData struct {
	// Unticked says that the guest has not said they mean it, First what they
	// have to do before.
	Unticked bool
	First    string
}

func (v *visit) removePage(status int, d removeData) error {
	return v.show(status, "remove", view{Title: "Remove my data", Kind: "notice-page", Problem: d != removeData{}, Data: d})
}

// remove serves POST /profile/remove.
func (s *Service) remove(v *visit) error {
	f, err := v.readForm()
	if err != nil {
		return err
	}
	subject, err := v.token()
	if err != nil {
		return err
	}
	if f["sure"] != "yes" {
		return v.removePage(http.StatusUnprocessableEntity, removeData{Unticked: true})
	}
	_, err = s.forget(v.r.Context(), subject, v.who.Guest)
	if no, ok := errors.AsType[*peer.Refusal](err); ok && no.Status() == http.StatusConflict {
		return v.removePage(http.StatusConflict, removeData{First: sentence(no.Problem.Detail, "Cancel the bookings that are still to come first.")})
	}
	if err != nil {
		return err
	}
	setCookie(v.w, removalCookie, "asked", removalLife)
	return v.send(removalPath)
}

type removalData struct {
	Done bool
	Left []string
	// Blocked is what the guest has to do before it goes on.
	Blocked string
}

// removal serves GET /profile/removal: how far it has come. In the end nobody
// is signed in any more, and this browser is all that remembers.
func (s *Service) removal(v *visit) error {
	asked := cookie(v.r, removalCookie) == "asked"
	d := removalData{Done: true}
	subject, err := v.token()
	switch {
	case err == nil:
		d, err = v.removalState(subject)
	case errors.Is(err, errNoSession) && asked:
		v.ended()
		err = nil
	}
	if err != nil {
		if !asked || !v.over(err) {
			return err
		}
		v.ended() // the account is gone, and the token with it
		d = removalData{Done: true}
	}
	w := view{Title: "Your data is being removed", Kind: "notice-page", Data: d}
	status := http.StatusOK
	if d.Done {
		w.Title = "Your data is removed"
	} else {
		w.Refresh, w.Scripts, status = 3, []string{"pending.js"}, http.StatusAccepted
	}
	return v.show(status, "removal", w)
}

func (v *visit) removalState(subject string) (d removalData, err error) {
	r, err := v.s.forgetting(v.r.Context(), subject, v.who.Guest)
	if err != nil {
		return d, err
	}
	return removalData{Done: r.Completed != nil, Left: r.Left, Blocked: sentence(r.Blocked, "")}, nil
}

// over reports whether an error says that the guest's sign-in is of no use any
// more. A neighbour that is in trouble says nothing of the kind.
func (v *visit) over(err error) bool {
	if errors.Is(err, errNoSession) || refused(err, http.StatusNotFound) {
		return true
	}
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && (p.Code == problem.InvalidToken || p.Code == problem.BadGateway && v.withdrawn())
}
