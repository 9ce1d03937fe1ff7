package pages

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/httprate"

	"portcullis/authserver/internal/accounts"
	"portcullis/authserver/internal/form"
	"portcullis/authserver/internal/source"
)

const (
	// formBytes bounds a form: the longest has the query of an authorization
	// request in it.
	formBytes = 16 << 10
	// formParams bounds how many parameters it has; ours have four.
	formParams = 16

	// rateWindow is over what requests are counted.
	rateWindow  = time.Minute
	defaultRate = 60
	// readFactor times the rate is how many pages a source may look at.
	readFactor = 10

	// policy is the Content-Security-Policy of every page: a style sheet and a
	// picture of ours, forms to us, nothing else, in nobody's frame. Browsers
	// hold a form to form-action through every redirect, which is why a sign-in
	// goes on by a page of its own: see continuePage.
	policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// secure sets what belongs on every answer. No-referrer, because the links in
// mails hold a token; no CORS field ever.
func (p *Pages) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard(w.Header())
		next.ServeHTTP(w, r)
	})
}

func guard(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// sameOrigin refuses a form that another site's page has sent (cross-site
// request forgery, signing somebody in as the attacker).
func (p *Pages) sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.cross.Check(r); err != nil {
			p.Error(w, r, http.StatusForbidden, "This form came from another site",
				"Your browser says that another site has sent it, so nothing was done.", "Open the page here and fill in the form again.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limit bounds what one source may ask in a minute.
func (p *Pages) limit(rate int) func(http.Handler) http.Handler {
	// httprate hashes keys without a secret: an address chosen for its hash
	// could use up another's budget.
	seed := maphash.MakeSeed()
	return httprate.LimitBy(rate, rateWindow,
		func(r *http.Request) (string, error) {
			return strconv.FormatUint(maphash.Comparable(seed, source.Of(r)), 16), nil
		},
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			p.Error(w, r, http.StatusTooManyRequests, "Too many requests", "Too many came from where you are.", "Wait a minute and try again.")
		}),
		httprate.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, err error) { p.fault(w, r, err) }),
	)
}

type formKey struct{}

// sent is the form of a request behind readForm.
func sent(r *http.Request) form.Values { return r.Context().Value(formKey{}).(form.Values) }

// readForm is middleware that reads the body as a form.
func (p *Pages) readForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, text string) {
			p.Error(w, r, status, "The form could not be read", text, "Open the page again and fill in the form once more.")
		}
		values, err := form.Read(w, r, formBytes, rules())
		switch {
		case errors.Is(err, form.ErrMedia) || r.URL.RawQuery != "":
			refuse(http.StatusBadRequest, "It did not arrive as forms do.")
		case errors.Is(err, form.ErrTooLarge):
			refuse(http.StatusRequestEntityTooLarge, "It is too large.")
		case errors.Is(err, form.ErrBroken):
			refuse(http.StatusBadRequest, "It broke off.")
		case err != nil:
			refuse(http.StatusBadRequest, "In it "+err.Error()+".")
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), formKey{}, values)))
		}
	})
}

// query reads the parameters in the URL as strictly; what is ambiguous is as
// good as absent.
func query(r *http.Request) form.Values {
	if len(r.URL.RawQuery) > formBytes {
		return nil
	}
	values, err := form.Parse(r.URL.RawQuery, rules())
	if err != nil {
		return nil
	}
	return values
}

func rules() form.Rules {
	return form.Rules{Known: []string{"email", "password", "new", "token", "continue", "logout", "done"}, Most: formParams}
}

// caller is on whose behalf a request acts.
func caller(r *http.Request) accounts.Caller {
	return accounts.Caller{Source: source.Of(r), RequestID: requestID(r)}
}

// requestID is the id that the outermost middleware has put on the request.
func requestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }
