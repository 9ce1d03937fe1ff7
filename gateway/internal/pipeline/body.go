package pipeline

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"portcullis/services/problem"
)

// ErrBodyTooLong says that a body is longer than the reader takes.
var ErrBodyTooLong = errors.New("the body is longer than may be inspected")

// ReadBody reads the whole request body into tx.Body, at most most bytes of
// it, so that what a stage looks at is what is sent. A body that is too long,
// too slow or broken is the client's failure and comes back as a problem;
// nothing of it goes further.
func (tx *Transaction) ReadBody(most int64) error {
	r := tx.Request
	switch {
	case tx.Buffered:
		if int64(len(tx.Body)) > most {
			return problem.New(problem.BodyTooLarge, "")
		}
		return nil
	case bodiless(r):
		return nil
	case r.ContentLength > most:
		return problem.New(problem.BodyTooLarge, "")
	}
	body, err := readUpTo(r.Body, r.ContentLength, most)
	if err != nil {
		return tx.unreadable(err)
	}
	tx.Body, tx.Buffered = body, true
	return nil
}

// WatchBody gives then the whole request body, for what only looks on: nothing
// is read that is not on its way to the upstream, nothing waits, and not a byte
// of it changes. A body that is in memory already, and an absent one, are given
// at once; any other when the transaction is done, if all of it has
// passed by then. One that broke off or that the upstream did not want is not
// given at all. The error is ErrBodyTooLong for more than most bytes.
func (tx *Transaction) WatchBody(most int64, then func(body []byte, err error)) {
	r := tx.Request
	switch {
	case tx.Buffered && int64(len(tx.Body)) > most, !tx.Buffered && !bodiless(r) && r.ContentLength > most:
		then(nil, ErrBodyTooLong)
	case tx.Buffered, bodiless(r):
		then(tx.Body, nil)
	default:
		w := &watched{ReadCloser: r.Body, length: r.ContentLength, most: most}
		r.Body = w
		tx.OnDone(func() {
			if body, err, whole := w.seen(); whole {
				then(body, err)
			}
		})
	}
}

// AwaitsBody tells whether a body of the request is still to be read.
func (tx *Transaction) AwaitsBody() bool { return !tx.Buffered && !bodiless(tx.Request) }

func bodiless(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
}

// watched is a body that is looked at while it passes. The transport reads it
// on a goroutine of its own.
type watched struct {
	io.ReadCloser
	length, most int64

	mu   sync.Mutex
	body []byte
	long bool
	end  bool
}

// Unwrap is the body itself, for those that must know its type.
func (w *watched) Unwrap() io.ReadCloser { return w.ReadCloser }

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.long:
	case int64(len(w.body)+n) > w.most:
		w.long, w.body = true, nil
	default:
		w.body = append(w.body, p[:n]...)
	}
	// Whoever knows the length need not read on to the end.
	if errors.Is(err, io.EOF) || err == nil && w.length > 0 && int64(len(w.body)) == w.length {
		w.end = true
	}
	return n, err
}

// seen is what has passed, and whether that is enough to be judged.
func (w *watched) seen() (body []byte, err error, enough bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.long {
		return nil, ErrBodyTooLong, true
	}
	return w.body, nil, w.end
}

// firstBuffer is what is allocated for a body of unknown length, in bytes.
const firstBuffer = 4 << 10

// readUpTo reads all of r and fails with ErrBodyTooLong when that is more than
// most bytes. length is what was announced, -1 when nothing was.
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
			return nil, ErrBodyTooLong
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// unreadable says in the client's terms why its body could not be read.
func (tx *Transaction) unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || errors.Is(err, ErrBodyTooLong) {
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
