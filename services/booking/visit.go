package booking

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

// visit is one request of a guest's.
type visit struct {
	s *Service
	w http.ResponseWriter
	r *http.Request
	// who is signed in, nil for nobody.
	who *session
	// begun tells that part of the page is out.
	begun bool
}

// serve makes a handler of what may fail.
func (s *Service) serve(do func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{s: s, w: w, r: r}
		who, err := s.current(r)
		switch {
		case err == nil:
			v.who = who
		case !errors.Is(err, errNoSession):
			v.fail(fmt.Errorf("look up the session: %w", err))
			return
		}
		if err := do(v); err != nil {
			v.fail(err)
		}
	}
}

// view is what every page is made from.
type view struct {
	Title string
	// Kind is the class of the page's body.
	Kind string
	// Refresh makes the browser load the page again after so many seconds.
	Refresh int
	// Problem says that the page tells of something that is wrong.
	Problem bool
	Scripts []string

	Signed bool
	Email  string
	Path   string
	Here   string // path with query, to come back to
	Assets *assets
	Brand  string
	Host   string
	Today  hotel.Date
	Data   any
}

func (v *visit) today() hotel.Date { return hotel.Today(v.s.config.Now()) }

func (v *visit) view(w view) view {
	w.Assets, w.Brand, w.Today = v.s.assets, brand, v.today()
	w.Host = strings.TrimPrefix(v.s.config.PublicURL, "https://")
	w.Path, w.Here = v.r.URL.Path, v.here()
	if v.who != nil {
		w.Signed, w.Email = true, v.who.tokens.Email
	}
	return w
}

// here is the address that a guest who has to sign in comes back to.
func (v *visit) here() string {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return "/"
	}
	return back(v.r.URL.RequestURI())
}

// back is an address of ours to send a browser to, or "/" for what is none: a
// path that begins with two slashes is another host's.
func back(to string) string {
	const most = 1 << 10 // it travels in a cookie
	u, err := url.Parse(to)
	if err != nil || len(to) > most || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		return "/"
	}
	return to
}

// show writes a whole page.
func (v *visit) show(status int, name string, w view) error {
	out, err := v.render(v.view(w), "top", name, "bottom")
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	v.begun = true
	_, _ = v.w.Write(out) // a reader that has gone is nobody to tell
	return nil
}

// render executes templates one after another. A page is written only when all
// of it could be made.
func (v *visit) render(w view, names ...string) ([]byte, error) {
	var out bytes.Buffer
	for _, name := range names {
		if err := v.s.page.ExecuteTemplate(&out, name, w); err != nil {
			return nil, fmt.Errorf("make the page %s: %w", name, err)
		}
	}
	return out.Bytes(), nil
}

// send goes on to another of our pages.
func (v *visit) send(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// token is the guest's access token; an error sends guests who are not signed
// in to do so.
func (v *visit) token() (string, error) {
	if v.who == nil {
		return "", errNoSession
	}
	return v.s.access(v.r.Context(), v.who)
}

// browsing is the token to look around with: the guest's, or none, which makes
// us ask for ourselves. What everybody may see is shown also while the token
// service is away.
func (v *visit) browsing() string {
	if v.who == nil {
		return ""
	}
	t, err := v.token()
	if err != nil {
		return ""
	}
	return t
}

// ended forgets a sign-in that the token service does not know any more.
func (v *visit) ended() {
	if v.who != nil {
		if err := v.s.end(v.r.Context(), v.who.id); err != nil {
			v.s.config.Log.Error("a session was not forgotten", "request_id", v.requestID(), "error", err.Error())
		}
		v.who = nil
	}
	if _, has := held(v.r); has {
		setCookie(v.w, sessionCookie, "", -1)
	}
}

func (v *visit) requestID() string { return chassis.RequestID(v.r.Context()) }

// fail turns an error into the page that tells the guest what to do.
func (v *visit) fail(err error) {
	n := v.explain(err)
	if n == nil {
		return // the guest has gone
	}
	if n.status >= http.StatusInternalServerError {
		v.s.config.Log.Error("a page failed", "request_id", v.requestID(), "error", err.Error())
	}
	if v.begun {
		panic(http.ErrAbortHandler) // half a page must not look whole
	}
	if n.Retry != "" {
		v.w.Header().Set("Retry-After", n.Retry)
	}
	n.Reference = ""
	if n.status >= http.StatusInternalServerError {
		n.Reference = v.requestID()
	}
	n.Art = picture(n.status)
	if err := v.show(n.status, "notice", view{Title: n.Title, Kind: "notice-page", Data: n}); err != nil {
		v.s.config.Log.Error("an error page failed", "request_id", v.requestID(), "error", err.Error())
		problem.Write(v.w, v.r, problem.New(problem.Internal, ""), v.requestID())
	}
}

// picture is the id of the picture on an error page: each status has its own.
func picture(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "error-401-2" // a lighthouse
	case http.StatusForbidden:
		return "error-403-2"
	case http.StatusNotFound:
		return "error-404-5" // hills to be lost in
	case http.StatusTooManyRequests:
		return "error-429-8" // a calm sea
	case http.StatusServiceUnavailable:
		return "error-503-2"
	}
	return fmt.Sprintf("error-%d", status)
}

// refused is a neighbour's considered no of this status.
func refused(err error, status int) bool {
	no, ok := errors.AsType[*peer.Refusal](err)
	return ok && no.Status() == status
}
