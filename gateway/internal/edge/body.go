package edge

import (
	"errors"
	"io"
	"net/http"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// boundBody bounds the request body by the route and makes every failure to
// read it known as the client's: a hang-up or broken chunk must not count
// against the upstream it was meant for.
func (h *Handler) boundBody(w http.ResponseWriter, tx *pipeline.Transaction) *problem.Problem {
	r := tx.Request
	if r.ContentLength > tx.Route.Body {
		return problem.New(problem.BodyTooLarge, "")
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		r.Body = http.NoBody
		return nil
	}
	// Without the ResponseWriter: the transport reads bodies from a goroutine of
	// its own, and a bound that also wrote to the response's header map would
	// race with the forward. A client could end the process with that.
	r.Body = &clientBody{own: r.Body, body: http.MaxBytesReader(nil, r.Body, tx.Route.Body), pace: newPace(w, tx, h.bodyRate), tx: tx}
	return nil
}

type clientBody struct {
	own  io.ReadCloser // the server's
	body io.ReadCloser // own, bounded
	pace *pace         // may be nil
	tx   *pipeline.Transaction
}

func (b *clientBody) Read(p []byte) (int, error) {
	if b.pace != nil {
		b.pace.before()
	}
	n, err := b.body.Read(p)
	if b.pace != nil {
		b.pace.after(n)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.tx.ClientFailed(err)
	}
	return n, err
}

func (b *clientBody) Close() error { return b.body.Close() }

// giveBack shows the server the body that it made, before an answer that did
// not wait for it. By its type the server knows a client that still waits for
// 100 Continue; it would wait for that client's body otherwise, and the client
// for its answer, until the read timeout.
func giveBack(r *http.Request) {
	for body := r.Body; body != nil; {
		switch b := body.(type) {
		case *clientBody:
			r.Body, body = b.own, nil
		case interface{ Unwrap() io.ReadCloser }: // a stage looks on
			body = b.Unwrap()
		default:
			return
		}
	}
}
