package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"portcullis/services/problem"
)

// failure is why a try had no answer, and what follows from it.
type failure struct {
	problem *problem.Problem
	// verdict is what the breaker is told.
	verdict error
	// unsent says that no byte of the request has left.
	unsent bool
	// reset says that the connection ended before an answer began.
	reset bool
}

// explain finds out whose failure it was: the client's first, because what a
// client does must never count against an endpoint.
func (x *exchange) explain(ctx context.Context, err error) *failure {
	if x.upload != nil {
		if cause := x.upload.failure(); cause != nil {
			return &failure{problem: x.badUpload(cause), verdict: errExcluded}
		}
	}
	// To end a read over HTTP/1.1 looks to the server as if the client had gone.
	if ended := x.upload != nil && x.upload.dropped.Load(); !ended {
		if gone := x.clientGone(); gone != nil {
			return &failure{problem: gone, verdict: errExcluded}
		}
	}
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return x.timedOut(err)
	case !x.asked.Load() && !x.connected():
		// The transport refused to send it: our mistake or the client's.
		return &failure{problem: problem.New(problem.BadRequest, "").Because(err), verdict: errExcluded}
	case !x.connected():
		return &failure{problem: unavailable(err, "1"), verdict: errFailed, unsent: true}
	}
	if x.pastOwnBound() {
		return &failure{problem: timeout(err), verdict: errExcluded}
	}
	return &failure{problem: problem.New(problem.BadGateway, "").Because(err), verdict: errFailed, reset: isReset(err)}
}

func (x *exchange) timedOut(err error) *failure {
	if x.upload != nil && x.upload.reading.Load() {
		// The time went by waiting for the client's body.
		x.blame(os.ErrDeadlineExceeded)
		return &failure{problem: problem.New(problem.RequestTimeout, "").Because(err), verdict: errExcluded}
	}
	// An attempt that found no connection in its time may be made elsewhere
	// while the route's time lasts.
	unsent := !x.connected() && x.life.Err() == nil
	return &failure{problem: timeout(err), verdict: errFailed, unsent: unsent}
}

func (x *exchange) clientGone() *problem.Problem {
	ctx := x.tx.Request.Context()
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	x.blame(cause)
	return problem.New(problem.ClientClosed, "").Because(cause)
}

// badUpload is the answer to a body that could not be read.
func (x *exchange) badUpload(cause error) *problem.Problem {
	x.blame(cause)
	code := problem.BadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](cause); ok {
		code = problem.BodyTooLarge
	} else if errors.Is(cause, errTrailers) {
		code = problem.HeadersTooLarge
	} else if errors.Is(cause, os.ErrDeadlineExceeded) {
		code = problem.RequestTimeout
	} else if x.tx.Request.Context().Err() != nil {
		code = problem.ClientClosed
	}
	return problem.New(code, "").Because(cause)
}

func timeout(err error) *problem.Problem {
	return problem.New(problem.GatewayTimeout, "").Because(err)
}

func unavailable(err error, after string) *problem.Problem {
	return problem.New(problem.UpstreamBroken, "").Because(err).With("Retry-After", after)
}

// allOpen is the answer when every breaker refuses.
func (u *Upstream) allOpen() *problem.Problem {
	seconds := max(1, int(u.config.Breaker.Open.Seconds()+0.999))
	return unavailable(errors.New("every endpoint of upstream "+u.config.Name+" is left alone by its breaker"), strconv.Itoa(seconds))
}

func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
