package waf

import (
	"errors"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Forwarder has answers inspected before clients get them, on a route whose
// profiles ask for that. It stands behind whatever changes answers on their way.
// It is safe for concurrent use.
type Forwarder struct{ next pipeline.Forwarder }

// NewForwarder returns a forwarder for the answers that next gives.
func NewForwarder(next pipeline.Forwarder) *Forwarder { return &Forwarder{next} }

// Forward is pipeline.Forwarder's.
func (f *Forwarder) Forward(w pipeline.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	if tx.Answers == nil {
		return pipeline.Result{}, problem.New(problem.Unavailable, "").Because(errNobody)
	}
	return tx.Answers.Forward(f.next, w, tx)
}

var errNobody = errors.New("the stage " + Stage + " has left nobody to inspect the answer")

// RequestFields are what the upstream is asked on such a route in place of what
// the client asks, so that an answer can be read: unencoded and whole. A leak that
// is asked for in ranges of a few bytes shows in none of them.
func RequestFields() (set []pipeline.Field, remove []string) {
	return []pipeline.Field{{Name: "Accept-Encoding", Value: "identity"}}, []string{"Range", "If-Range"}
}
