package oauth

import (
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
	"portcullis/services/problem"
)

// personID is what tokens call a person of ours. Nothing else gets into the
// audit: what a caller mistakes for a subject may be an address.
var personID = regexp.MustCompile(`^u-[a-z0-9]{1,64}$`)

// eraseAccount serves DELETE /accounts/{subject}: the account, its sessions,
// sign-ins and tokens end. An account that is not there, or not any more, is no
// error: whoever has lost the answer asks again. A guard has admitted the caller.
func (s *Server) eraseAccount(w http.ResponseWriter, r *http.Request) {
	if err := s.erase(r); err != nil {
		s.log.Error("an account was not erased, or that was not recorded", "request_id", requestID(r), "error", err)
		problem.Write(w, r, problem.New(problem.Unavailable, "").With("Retry-After", "5").Because(err), requestID(r))
		return
	}
	s.requests.WithLabelValues("erased").Inc()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) erase(r *http.Request) error {
	h := happening{Action: "account.erase", Outcome: success, Reason: "there was no such account"}
	if p, ok := token.FromContext(r.Context()); ok {
		h.Client, h.TokenID = p.Client, p.TokenID
	}
	if subject := chi.URLParam(r, "subject"); personID.MatchString(subject) {
		now := s.now()
		erased, err := s.cfg.Accounts.EraseAccount(r.Context(), subject, now, issue.LastExpiry(now))
		if err == nil {
			err = s.cfg.Revocations.Sync(r.Context())
		}
		if err != nil {
			return err
		}
		h.Subject = subject
		if erased {
			h.Reason = ""
		}
	}
	return s.record(r, h)
}
