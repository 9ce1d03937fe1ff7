package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// create serves POST /v1/documents.
func (s *Service) create(w http.ResponseWriter, r *http.Request) error {
	var ask hotel.DocumentRequest
	if err := wire.Decode(w, r, &ask); err != nil {
		return err
	}
	if err := check(ask); err != nil {
		return wire.Unprocessable(err)
	}
	content, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("write a request: %w", err)
	}
	// One that comes again costs nothing: nothing is set twice.
	known, err := s.known(r.Context(), s.store.Read(), ask.ID, content)
	if err == nil {
		return wire.Answer(w, http.StatusOK, known)
	}
	if !errors.Is(err, errNone) {
		return public(err)
	}
	pdf, err := s.set(r.Context(), ask)
	if err != nil {
		return err
	}
	made, fresh, err := s.add(r.Context(), ask, content, pdf)
	if err != nil {
		return public(err)
	}
	if !fresh {
		return wire.Answer(w, http.StatusOK, made)
	}
	w.Header().Set("Location", hotel.PathDocuments+"/"+made.ID)
	return wire.Answer(w, http.StatusCreated, made)
}

// set renders when its turn comes. Whoever waits too long is sent away: a queue
// without an end would be slower for everybody.
func (s *Service) set(ctx context.Context, r hotel.DocumentRequest) ([]byte, error) {
	enough := time.NewTimer(s.config.Wait)
	defer enough.Stop()
	select {
	case s.turns <- struct{}{}:
	case <-enough.C:
		return nil, problem.New(problem.Unavailable, "Too many documents are being set.").With("Retry-After", "2")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.turns }()
	return render(r, s.address(r.ID))
}

// address is where a document is proved.
func (s *Service) address(id string) string {
	return s.config.Verify + "/" + id + "/" + s.secret.code(id)
}

// show serves GET /v1/documents/{document}.
func (s *Service) show(w http.ResponseWriter, r *http.Request) error {
	caller, err := caller(r)
	if err != nil {
		return err
	}
	id := chi.URLParam(r, "document")
	guest, pdf, err := s.pdf(r.Context(), id)
	if err == nil && guest != caller.Subject && !neighbour(caller) {
		err = errNone // another's does not exist
	}
	if err != nil {
		return public(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", id+".pdf")) // ids need no escaping
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(pdf) // a reader that has gone is nobody to tell
	return nil
}

// list serves GET /v1/guests/{guest}/documents.
func (s *Service) list(w http.ResponseWriter, r *http.Request) error {
	caller, err := caller(r)
	if err != nil {
		return err
	}
	guest, err := wire.Guest(r)
	if err != nil {
		return err
	}
	if guest != caller.Subject && !neighbour(caller) {
		return problem.New(problem.Forbidden, "These are another guest's documents.")
	}
	limit, after, err := wire.Paging(r.URL.Query())
	if err != nil {
		return err
	}
	page, err := s.of(r.Context(), guest, after, limit)
	if errors.Is(err, errNone) {
		return wire.Unprocessable(errors.New("after is not the id of one of the guest's documents"))
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, page)
}

// prove serves GET /v1/proofs/{document}/{code}. A document that there is and a
// wrong code look like one that there is not: the code is judged first, and by
// it alone.
func (s *Service) prove(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "document")
	if !s.secret.proves(id, chi.URLParam(r, "code")) {
		return problem.New(problem.NotFound, "")
	}
	proof, err := s.proof(r.Context(), id)
	if err != nil {
		return public(err)
	}
	return wire.Answer(w, http.StatusOK, proof)
}

// export serves GET /v1/guests/{guest}/data, for the service users.
func (s *Service) export(w http.ResponseWriter, r *http.Request) error {
	guest, err := wire.Guest(r)
	if err != nil {
		return err
	}
	held, err := s.held(r.Context(), guest)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, held)
}

// erase serves DELETE /v1/guests/{guest}/data, for the service users.
func (s *Service) erase(w http.ResponseWriter, r *http.Request) error {
	guest, err := wire.Guest(r)
	if err != nil {
		return err
	}
	if err := s.forget(r.Context(), guest); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// caller is who the token speaks for.
func caller(r *http.Request) (*token.Principal, error) {
	principal, ok := token.FromContext(r.Context())
	if !ok || principal.Subject == "" {
		return nil, errors.New("a request without a principal got past the guard")
	}
	return principal, nil
}

// neighbour reports whether users calls for itself, by a token of its own, which
// may see every guest's documents: it attaches them to its mails. A token that
// was exchanged speaks for its guest alone, and booking has no other for them.
func neighbour(p *token.Principal) bool {
	return p.Actor == "" && p.Subject == p.Client && p.Client == "users"
}

// public turns what storage says into what the caller may know.
func public(err error) error {
	switch {
	case errors.Is(err, errNone):
		return problem.New(problem.NotFound, "")
	case errors.Is(err, errOther):
		return problem.New(problem.Conflict, "There is a document of this id with other content.")
	case errors.Is(err, errErased):
		return problem.New(problem.Conflict, "The guest was removed.")
	}
	return err
}
