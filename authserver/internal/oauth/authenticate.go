package oauth

import (
	"net/http"

	"portcullis/authserver/internal/issue"
)

// action is what an endpoint does for a client that has proved who it is.
type action func(w http.ResponseWriter, r *http.Request, client issue.Client, f form) error

// authenticated is the way into every endpoint for clients: who it is, and then
// what it wants. Whatever goes wrong is answered here.
func (s *Server) authenticated(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := asked(r)
		if err := s.patient(r, q.who); err != nil {
			s.refuse(w, r, "", err)
			return
		}
		client, err := s.cfg.Clients.Authenticate(r.Context(), q.who)
		if err != nil {
			s.failed(r, q.who, err)
			s.refuse(w, r, "", err)
			return
		}
		s.backoff.Succeeded(attempt(r, q.who))
		if err := do(w, r, client, q.form); err != nil {
			s.refuse(w, r, client.ID, err)
		}
	}
}
