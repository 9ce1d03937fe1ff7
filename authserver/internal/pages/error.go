package pages

import (
	"errors"
	"fmt"
	"net/http"

	"portcullis/authserver/internal/accounts"
)

// Error shows a page that says what went wrong: a title, a sentence about what
// happened, and what to do about it. None of the three may hold anything from
// the request that a stranger could have chosen to mislead; all are escaped.
func (p *Pages) Error(w http.ResponseWriter, r *http.Request, status int, title, text, whatToDo string) {
	v := view{Title: title, Reference: requestID(r)}
	for _, says := range []string{text, whatToDo} {
		if says != "" {
			v.Says = append(v.Says, says)
		}
	}
	p.show(w, r, status, v)
}

// fault answers what is our fault. The cause is logged and not shown.
func (p *Pages) fault(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the browser has left
	}
	p.cfg.Log.Error("a page failed", "request_id", requestID(r), "path", r.URL.Path, "error", err)
	p.Error(w, r, http.StatusInternalServerError, "That did not work",
		"Something went wrong on our side.", "Try again in a minute. If it goes on, ask for help and quote the number below.")
}

// refuse shows a form once more and says why; err is what accounts has
// answered. What is typed stays, but passwords.
func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, v view, f *formView, err error) {
	status, wrong := http.StatusUnprocessableEntity, map[string]string{}
	invalid, isInvalid := errors.AsType[*accounts.InvalidError](err)
	wait, isWait := errors.AsType[*accounts.WaitError](err)
	switch {
	case isInvalid:
		wrong = map[string]string{"email": invalid.Email, newPassword(f): invalid.Password}
	case isWait:
		status = http.StatusTooManyRequests
		v.Problems = []trouble{{Text: fmt.Sprintf("Too many wrong passwords were typed here. Wait %s, then try again.", seconds(retry(w, wait.After)))}}
	case errors.Is(err, accounts.ErrBusy):
		status = http.StatusServiceUnavailable
		v.Problems = []trouble{{Text: fmt.Sprintf("Many people are signing in at this moment. Wait %s, then try again.", seconds(retry(w, accounts.BusyRetry)))}}
	case errors.Is(err, accounts.ErrRefused):
		status = http.StatusForbidden
		text := "The e-mail address or the password is not right."
		if first := f.Fields[0]; first.Name != "email" || first.ReadOnly {
			text = "The password is not right."
		}
		wrong["password"] = text
	default:
		p.fault(w, r, err)
		return
	}
	v.mark(f, wrong)
	p.show(w, r, status, v)
}

// newPassword is the name of the field with the password that was chosen.
func newPassword(f *formView) string {
	for _, each := range f.Fields {
		if each.Autocomplete == "new-password" {
			return each.Name
		}
	}
	return ""
}

func seconds(n int) string {
	if n == 1 {
		return "a second"
	}
	return fmt.Sprintf("%d seconds", n)
}
