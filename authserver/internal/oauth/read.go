package oauth

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"portcullis/authserver/internal/issue"
)

// question is a token request that could be read.
type question struct {
	form form
	who  credentials
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
		q, err := readQuestion(w, r)
		if err != nil {
			s.refuse(w, r, "", err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), questionKey{}, q)))
	})
}

func readQuestion(w http.ResponseWriter, r *http.Request) (question, error) {
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		// Logs, histories and referrers keep URLs.
		return question{}, badRequest("parameters belong in the body, never in the URL")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" ||
		len(r.Header["Content-Type"]) != 1 || len(r.Header["Content-Encoding"]) != 0 {
		return question{}, badRequest("the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, formBytes))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return question{}, &refusal{http.StatusRequestEntityTooLarge, string(issue.InvalidRequest), "the body is too large"}
		}
		return question{}, badRequest("the body broke off")
	}
	f, err := parseForm(string(body))
	if err != nil {
		return question{}, err
	}
	who, err := readCredentials(r.Header, f)
	if err != nil {
		return question{}, err
	}
	return question{f, who}, nil
}
