package oauth

import (
	"errors"
	"fmt"
	"net/http"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/source"
	"portcullis/authserver/internal/store"
)

// refuse answers with err, which is shown only if it is a *refusal or an
// *issue.Error; anything else is a fault of ours. client is the one that has
// authenticated, if any: what did not may be a secret typed into the wrong field,
// so it is not recorded.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, client string, err error) {
	no, reason := s.explain(r, err)
	if !s.refused(r, no, happening{Client: client, Reason: reason}) {
		no = &refusal{status: http.StatusServiceUnavailable, code: codeBusy}
	}
	no.write(w)
}

func (s *Server) refuseClient(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(w, r, "", err)
}

// refused records a refusal, and reports whether that could be done. A flood that
// is turned away must not cost a write to the disk each: it is an event alone.
func (s *Server) refused(r *http.Request, no *refusal, h happening) bool {
	s.requests.WithLabelValues(no.code).Inc()
	h.Outcome, h.Error = failure, no.code
	if no.status == http.StatusTooManyRequests {
		h.RequestID, h.Source, h.Action = requestID(r), source.Of(r).String(), "limit"
		s.event(h)
		return true
	}
	if err := s.record(r, h); err != nil {
		s.log.Error("a refusal could not be recorded", "request_id", requestID(r), "error", err)
		return false
	}
	return true
}

// explain finds the answer to an error, and what only the audit is told.
func (s *Server) explain(r *http.Request, err error) (no *refusal, reason string) {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no, no.reason
	}
	if e, ok := errors.AsType[*issue.Error](err); ok {
		return &refusal{status: http.StatusBadRequest, code: string(e.Code), description: e.Description}, ""
	}
	switch {
	case errors.Is(err, clients.ErrRefused):
		return invalidClient(), s.accused(r, err)
	case errors.Is(err, store.ErrReplayed):
		return invalidGrant(), "it was used before: all that was issued from it has been revoked"
	case errors.Is(err, store.ErrExpired):
		return invalidGrant(), "it has expired"
	case errors.Is(err, store.ErrNone):
		return invalidGrant(), "there is none, or none any more"
	}
	// The cause is ours: a database, a key. Neither holds what was sent.
	s.log.Error("a request failed", "request_id", requestID(r), "path", r.URL.Path, "error", fmt.Sprint(err))
	return &refusal{status: http.StatusInternalServerError, code: codeFault}, "a fault: see the log"
}

// accused says why a client was refused, and in whose name somebody has tried; a
// name that no client has may be a secret in the wrong field.
func (s *Server) accused(r *http.Request, err error) string {
	reason := err.Error()
	q, ok := r.Context().Value(questionKey{}).(question)
	if !ok {
		return reason
	}
	if _, known, err := s.cfg.Clients.Client(r.Context(), q.who.ID); err == nil && known {
		return reason + ", in the name of " + q.who.ID
	}
	return reason
}

// invalidGrant is the one answer to codes and refresh tokens that do not hold
// (RFC 6749 5.2): why not is nobody's business but the audit's.
func invalidGrant() *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: string(issue.InvalidGrant),
		description: "the code or refresh token is not valid, has expired or was used before: ask the person to sign in again",
	}
}
