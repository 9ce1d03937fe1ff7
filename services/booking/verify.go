package booking

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
)

type verifyData struct {
	// Known says that the document is one of ours.
	Known bool
	hotel.Proof
	// Sum is the SHA-256 in groups that an eye can compare.
	Sum []string
}

// verify serves GET /verify/{document}/{code}, which anybody may who holds a
// document: its last line is this address.
func (s *Service) verify(v *visit) error {
	document, code := chi.URLParam(v.r, "document"), chi.URLParam(v.r, "code")
	w := view{Title: "We cannot confirm this document", Kind: "notice-page", Problem: true, Data: verifyData{}}
	if !hotel.ValidID(document) || !hotel.ValidID(code) {
		return v.show(http.StatusNotFound, "verify", w)
	}
	p, err := s.proof(v.r.Context(), document, code)
	if refused(err, http.StatusNotFound) || refused(err, http.StatusUnprocessableEntity) {
		return v.show(http.StatusNotFound, "verify", w)
	}
	if err != nil {
		return err
	}
	d := verifyData{Known: true, Proof: p}
	for sum := p.SHA256; sum != ""; {
		n := min(8, len(sum))
		d.Sum = append(d.Sum, strings.ToLower(sum[:n]))
		sum = sum[n:]
	}
	w.Title, w.Problem, w.Data = "This document is genuine", false, d
	return v.show(http.StatusOK, "verify", w)
}
