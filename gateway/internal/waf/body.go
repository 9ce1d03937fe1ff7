package waf

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// readBody reads the whole body into tx.Body, so that what is inspected is what
// is sent. A body that is too long, too slow or broken is the client's failure,
// and nothing of it goes further.
func (p Profile) readBody(tx *pipeline.Transaction) error {
	r := tx.Request
	if tx.Buffered {
		if int64(len(tx.Body)) > p.Body {
			return problem.New(problem.BodyTooLarge, "")
		}
		return nil
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > p.Body {
		return problem.New(problem.BodyTooLarge, "")
	}
	body, err := readUpTo(r.Body, r.ContentLength, p.Body)
	if err != nil {
		return clientFailed(tx, err)
	}
	tx.Body, tx.Buffered = body, true
	return nil
}

// firstBuffer is what is allocated for a body of unknown length, in bytes.
const firstBuffer = 4 << 10

// errTooLong says that a body is longer than its bound.
var errTooLong = errors.New("the body is longer than may be inspected")

// readUpTo reads all of r, of which length bytes are announced (-1: unknown),
// and fails with errTooLong when there are more than most.
func readUpTo(r io.Reader, length, most int64) ([]byte, error) {
	if length < 0 || length > most {
		length = firstBuffer
	}
	// One byte more, so that the end of a body of the announced length is seen
	// without growing.
	body := make([]byte, 0, length+1)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > most:
			return nil, errTooLong
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// clientFailed says in the client's terms why its body could not be read.
func clientFailed(tx *pipeline.Transaction, err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || errors.Is(err, errTooLong) {
		return problem.New(problem.BodyTooLarge, "").Because(err)
	}
	tx.ClientFailed(err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), isNet && timeout.Timeout():
		return problem.New(problem.RequestTimeout, "").Because(err)
	case errors.Is(err, context.Canceled):
		return problem.New(problem.ClientClosed, "").Because(err)
	default:
		return problem.New(problem.BadRequest, "The request body could not be read in full.").Because(err)
	}
}
