package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"portcullis/services/chassis"
	"portcullis/services/problem"
)

const (
	// pagePolicy lets a page have our style sheet and the frame of a mail's HTML.
	pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// mailPolicy is for what others wrote: no origin, no script, no form, no
	// network. A link opens, when clicked, in a window of its own.
	mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
	// filePolicy is for attachments, should a browser show one after all.
	filePolicy = "sandbox; default-src 'none'; frame-ancestors 'none'"
)

func (s *Sandbox) routes() http.Handler {
	router := chi.NewRouter()
	// Whatever site a developer visits may send requests here in their browser:
	// it may not empty the inbox, and it reads nothing.
	router.Use(http.NewCrossOriginProtection().Handler, fields)
	router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, problem.New(problem.NotFound, ""))
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, problem.New(problem.MethodNotAllowed, ""))
	})
	router.Get("/", s.list)
	router.Get("/style.css", style)
	router.Get("/messages/{id}", s.show)
	router.Get("/messages/{id}/html", s.html)
	router.Get("/messages/{id}/attachments/{number}", s.attachment)
	router.Get("/api/messages", s.messages)
	router.Delete("/api/messages", s.clear)
	return router
}

// fields sets what every answer says.
func fields(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	problem.Write(w, r, p, chassis.RequestID(r.Context()))
}

// list serves GET /.
func (s *Sandbox) list(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, "list.html", s.mailbox.list(""))
}

// show serves GET /messages/{id}.
func (s *Sandbox) show(w http.ResponseWriter, r *http.Request) {
	if m := s.asked(w, r); m != nil {
		s.page(w, r, "message.html", m)
	}
}

// html serves GET /messages/{id}/html: what the frame shows.
func (s *Sandbox) html(w http.ResponseWriter, r *http.Request) {
	m := s.asked(w, r)
	if m == nil {
		return
	}
	if m.HTML == "" {
		refuse(w, r, problem.New(problem.NotFound, "This mail has no HTML."))
		return
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!doctype html><base target="_blank">`, m.HTML)
}

// attachment serves GET /messages/{id}/attachments/{number}.
func (s *Sandbox) attachment(w http.ResponseWriter, r *http.Request) {
	m := s.asked(w, r)
	if m == nil {
		return
	}
	number, err := strconv.Atoi(chi.URLParam(r, "number"))
	if err != nil || number < 1 || number > len(m.Attachments) {
		refuse(w, r, problem.New(problem.NotFound, "This mail has no such attachment."))
		return
	}
	a := m.Attachments[number-1]
	w.Header().Set("Content-Security-Policy", filePolicy)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	_, _ = w.Write(a.Data)
}

// messages serves GET /api/messages?to=.
func (s *Sandbox) messages(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(map[string][]*message{"messages": s.mailbox.list(r.URL.Query().Get("to"))})
	if err != nil {
		refuse(w, r, problem.New(problem.Internal, "").Because(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}

// clear serves DELETE /api/messages.
func (s *Sandbox) clear(w http.ResponseWriter, _ *http.Request) {
	s.mailbox.empty()
	w.WriteHeader(http.StatusNoContent)
}

// asked is the mail that a path names; nil once it was refused.
func (s *Sandbox) asked(w http.ResponseWriter, r *http.Request) *message {
	id, err := strconv.Atoi(chi.URLParam(r, "id"))
	if err == nil {
		if m := s.mailbox.get(id); m != nil {
			return m
		}
	}
	refuse(w, r, problem.New(problem.NotFound, "There is no such mail: the oldest are dropped when there are too many."))
	return nil
}

// page writes a page that was made whole first.
func (s *Sandbox) page(w http.ResponseWriter, r *http.Request, name string, data any) {
	var out bytes.Buffer
	if err := s.pages.ExecuteTemplate(&out, name, data); err != nil {
		s.config.Log.Error("a page could not be made", "page", name, "error", err.Error())
		refuse(w, r, problem.New(problem.Internal, "").Because(err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.WriteTo(w)
}
