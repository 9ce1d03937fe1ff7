package oauth

import (
	"context"
	"net/http"

	"portcullis/authserver/internal/clients"
	strict "portcullis/authserver/internal/form"
)

// question is a client's request that could be read.
type question struct {
	form form
	who  clients.Proof
}

// questionKey is the context key of the question.
type questionKey struct{}

// asked is the question that read has found. Only handlers behind read call it.
func asked(r *http.Request) question {
	return r.Context().Value(questionKey{}).(question)
}

// read is middleware that parses the request, so that limits can be keyed on
// the client before anything is looked up for it.
func (s *Server) read(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := readBody(w, r)
		if err != nil {
			s.refuse(w, r, "", err)
			return
		}
		who, err := readProof(r.Header, f)
		if err != nil {
			s.refuse(w, r, "", err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), questionKey{}, question{f, who})))
	})
}

// readBody reads the form that a POST carries.
func readBody(w http.ResponseWriter, r *http.Request) (form, error) {
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		// Logs, histories and referrers keep URLs.
		return form{}, badRequest("parameters belong in the body, never in the URL")
	}
	return asForm(strict.Read(w, r, formBytes, rules()))
}
