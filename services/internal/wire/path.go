package wire

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"portcullis/services/problem"
)

// Guest is the guest that the path of a request names as {guest}.
func Guest(r *http.Request) (string, error) {
	guest := chi.URLParam(r, "guest")
	if r.URL.RawPath == "" { // chi routes, and cuts, the escaped path when there is one
		return guest, nil
	}
	guest, err := url.PathUnescape(guest)
	if err != nil {
		return "", problem.New(problem.BadRequest, "").Because(err)
	}
	return guest, nil
}
