// Package wire is how a service reads requests and writes answers: strict JSON
// in, JSON out, every error a problem.
package wire

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"portcullis/services/chassis"
	"portcullis/services/problem"
)

// Router returns a chi router whose own answers (no such path, not this
// method) are problems, and which answers HEAD where it answers GET.
func Router() *chi.Mux {
	r := chi.NewRouter()
	r.Use(middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, req *http.Request) {
		problem.Write(w, req, problem.New(problem.NotFound, ""), chassis.RequestID(req.Context()))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		p := problem.New(problem.MethodNotAllowed, "").With("Allow", strings.Join(allowed(r, req), ", "))
		problem.Write(w, req, p, chassis.RequestID(req.Context()))
	})
	return r
}

// allowed lists what a path answers to, as RFC 9110, 15.5.6 asks of a 405.
func allowed(r *chi.Mux, req *http.Request) []string {
	path := req.URL.RawPath // what chi routes by when there is one
	if path == "" {
		path = req.URL.Path
	}
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if r.Match(chi.NewRouteContext(), m, path) {
			methods = append(methods, m)
			if m == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	return methods
}

// Handler is an http.Handler that may fail. A *problem.Problem is written as it
// stands; any other error is logged and becomes the problem "internal".
func Handler(log *slog.Logger, serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil {
			return
		}
		id := chassis.RequestID(r.Context())
		p, ok := errors.AsType[*problem.Problem](err)
		switch {
		case ok:
		case r.Context().Err() != nil:
			p = problem.New(problem.ClientClosed, "").Because(err)
		default:
			p = problem.New(problem.Internal, "").Because(err)
		}
		if p.Status() >= http.StatusInternalServerError {
			log.Error("a request failed", "request_id", id, "error", p.Error())
		}
		problem.Write(w, r, p, id)
	}
}

// Answer writes v as JSON. Answers hold what only their reader may see, so no
// cache may keep them.
func Answer(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return problem.New(problem.Internal, "").Because(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a reader that has gone is nobody to tell
	return nil
}
