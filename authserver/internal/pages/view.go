package pages

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"portcullis/authserver/internal/accounts"
)

// view is what a page shows.
type view struct {
	Title    string
	Says     []string
	Problems []trouble
	// Done says that something worked.
	Done   string
	Form   *formView
	Button *link
	Links  []link
	// Refresh is where the browser goes by itself.
	Refresh string
	// Reference is what to quote to those who help.
	Reference string
	Account   *accountView

	Assets assets
	Host   string
}

// trouble is one thing that is wrong, and the id of the field it is about.
type trouble struct{ Field, Text string }

type link struct{ Before, Text, Href string }

type formView struct {
	Action, Button string
	// Kind is "", "quiet" or "grave": how the button looks.
	Kind   string
	Hidden []hidden
	Fields []field
}

type hidden struct{ Name, Value string }

// field is one that is typed into. The value of a password is never sent back.
type field struct {
	ID, Name, Label, Type, Autocomplete, Value string
	Hint, Wrong                                string
	Longest                                    int
	ReadOnly, Focus                            bool
}

// DescribedBy names what a screen reader reads with the field.
func (f field) DescribedBy() string {
	switch {
	case f.Wrong != "": // it says what the hint said
		return f.ID + "-wrong"
	case f.Hint != "":
		return f.ID + "-hint"
	}
	return ""
}

type accountView struct {
	Email, Subject                string
	SignedIn                      time.Time
	Sessions                      []sessionView
	SignOut, Password, Everywhere *formView
}

type sessionView struct {
	Created, Seen time.Time
	Current       bool
}

// emailField is the one for an address. Its name in the form is email; what
// browsers fill in is said by autocomplete.
func emailField(value, autocomplete string) field {
	return field{ID: "email", Name: "email", Label: "E-mail address", Type: "email", Autocomplete: autocomplete, Value: value, Longest: 254}
}

func passwordField(name, label, autocomplete string) field {
	f := field{ID: name, Name: name, Label: label, Type: "password", Autocomplete: autocomplete, Longest: 1000}
	if autocomplete == "new-password" {
		f.Hint = fmt.Sprintf("%d characters or more. A few words that only you would put together are good.", accounts.MinPassword)
	}
	return f
}

// mark says what is wrong with the fields of a form, in the summary and beside
// each, and puts the cursor into the first that is wrong, or the first that is
// empty.
func (v *view) mark(f *formView, wrong map[string]string) {
	focus := -1
	for i := range f.Fields {
		each := &f.Fields[i]
		if each.Wrong = wrong[each.Name]; each.Wrong != "" {
			v.Problems = append(v.Problems, trouble{each.ID, each.Wrong})
			if focus < 0 {
				focus = i
			}
		}
	}
	for i := range f.Fields {
		if focus < 0 && f.Fields[i].Value == "" {
			focus = i
		}
	}
	if focus >= 0 {
		f.Fields[focus].Focus = true
	}
}

// show writes a page.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Assets, v.Host = p.assets, p.host
	var body bytes.Buffer
	if err := p.page.ExecuteTemplate(&body, "page.html", v); err != nil {
		p.cfg.Log.Error("a page could not be written", "request_id", requestID(r), "error", err)
		http.Error(w, "the page could not be written", http.StatusInternalServerError)
		return
	}
	guard(w.Header()) // also where another handler calls Error
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // the client's loss
	}
}

// retry sets Retry-After, rounded up to a second.
func retry(w http.ResponseWriter, after time.Duration) int {
	seconds := max(1, int((after+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return seconds
}
