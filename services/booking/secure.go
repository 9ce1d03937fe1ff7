package booking

import "net/http"

// policy is the Content-Security-Policy of every answer: script, style and
// pictures of ours as files, forms to us and on to the token service (browsers
// hold a form to form-action through its redirects, and a sign-out goes there),
// in nobody's frame.
func policy(issuer string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self' " + issuer +
		"; frame-ancestors 'none'; base-uri 'none'"
}

// secure sets what belongs on every answer. The referrer stays on this origin:
// the address of a verification page holds its code.
func (s *Service) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// change serves what changes something: forms of our own pages only.
func (s *Service) change(do func(*visit) error) http.HandlerFunc {
	return s.serve(func(v *visit) error {
		if err := s.cross.Check(v.r); err != nil {
			return &notice{
				status: http.StatusForbidden, Title: "This form came from another site",
				Text:   "Your browser says that another site has sent it, so nothing was done.",
				Advice: "Open the page here and fill in the form again.",
			}
		}
		return do(v)
	})
}
