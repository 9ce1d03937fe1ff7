package waf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// held is the writer of one answer. It keeps what is to be inspected until it
// has been, and lets everything else pass as it comes.
type held struct {
	http.ResponseWriter
	screen    *screen
	responses Responses
	// before is what the header held before the upstream's fields came, head what
	// it held when the answer began.
	before, head http.Header
	status       int
	kept         buffer
	media        string
	flush        bool  // somebody wanted the client to see what there was
	refusal      error // what the client gets in place of the answer

	// mu is for the timer of an exchange, which cuts a writer short.
	mu   sync.Mutex
	mode mode
	late bool
}

// mode is where an answer stands.
type mode uint8

const (
	begins  mode = iota
	holds        // it is kept until it has been inspected
	passes       // to the client
	refuses      // nothing of it goes further
)

// errWithheld ends the copying of an answer that the client does not get.
var errWithheld = errors.New("the answer is withheld")

// Unwrap lets http.ResponseController reach the server's own writer.
func (h *held) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// SetWriteDeadline keeps a time that is over from what is written in place of an
// answer: while one is held nobody waits for the client to read.
func (h *held) SetWriteDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mode == holds {
		h.late = true
		return nil
	}
	return http.NewResponseController(h.ResponseWriter).SetWriteDeadline(t)
}

// enter moves on to another mode; false when the time was over before.
func (h *held) enter(m mode) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.late && m == passes {
		return false
	}
	h.mode = m
	return true
}

func (h *held) WriteHeader(status int) {
	if status < 200 || h.mode != begins {
		if h.mode == begins || h.mode == passes {
			h.ResponseWriter.WriteHeader(status)
		}
		return
	}
	h.status = status
	switch media, look, err := h.responses.looksAt(h.screen.tx.Request.Method, status, h.Header()); {
	case err != nil:
		h.refuse(err)
	case look:
		h.media, h.head = media, h.Header().Clone()
		h.enter(holds)
	default:
		h.enter(passes)
		h.ResponseWriter.WriteHeader(status)
	}
}

func (h *held) Write(p []byte) (int, error) {
	if h.mode == begins {
		h.WriteHeader(http.StatusOK)
	}
	switch h.mode {
	case passes:
		return h.ResponseWriter.Write(p)
	case refuses:
		return 0, errWithheld
	}
	room := h.kept.room()
	if len(p) <= room {
		return len(p), h.add(p)
	}
	if err := h.add(p[:room]); err != nil {
		return 0, err
	}
	if err := h.release(true); err != nil {
		return 0, err
	}
	n, err := h.ResponseWriter.Write(p[room:])
	return room + n, err
}

// FlushError sends what may be sent.
func (h *held) FlushError() error {
	if h.mode == begins {
		h.WriteHeader(http.StatusOK)
	}
	switch h.mode {
	case holds:
		h.flush = true
		return nil
	case refuses:
		return errWithheld
	}
	return http.NewResponseController(h.ResponseWriter).Flush()
}

// add keeps more of the answer.
func (h *held) add(p []byte) error {
	if !h.kept.add(p) {
		h.refuse(overloaded())
		return errWithheld
	}
	return nil
}

func (h *held) refuse(why error) {
	h.refusal = why
	h.enter(refuses)
}

// release inspects what is held and passes it on. An error means that nothing
// more must be written.
func (h *held) release(partly bool) error {
	c := h.screen
	if len(h.kept.bytes) > 0 {
		c.answer.take(h.status, c.tx.Request.Proto, h.head, h.media)
		c.answer.body, c.answer.partly = h.kept.bytes, partly
		if err := c.judge(); err != nil {
			h.refuse(err)
			return errWithheld
		}
	}
	c.drop()
	if !h.enter(passes) {
		h.refuse(problem.New(problem.GatewayTimeout, "").Because(errLate))
		return errWithheld
	}
	// What the forwarder has put there since is the trailers.
	since := maps.Clone(h.Header())
	h.reset(h.head)
	h.ResponseWriter.WriteHeader(h.status)
	_, err := h.ResponseWriter.Write(h.kept.bytes)
	h.reset(since)
	if err == nil && h.flush {
		err = http.NewResponseController(h.ResponseWriter).Flush()
	}
	return err
}

var errLate = errors.New("the time of the route was over before the answer had been inspected")

// reset makes the header what it is to be.
func (h *held) reset(to http.Header) {
	header := h.Header()
	clear(header)
	maps.Copy(header, to)
}

// end completes the answer, or says what the client is told in its place.
func (h *held) end(result pipeline.Result, err error) (pipeline.Result, error) {
	if err != nil {
		h.reset(h.before)
		return result, err
	}
	if h.mode == holds {
		if result.Broken != nil {
			h.refuse(h.brokenOff(result.Broken))
		} else if failed := h.release(false); failed != nil && h.refusal == nil {
			h.screen.tx.ClientFailed(failed)
			result.Broken = failed
		}
	}
	if h.refusal == nil {
		return result, nil
	}
	h.reset(h.before)
	result.Status, result.Bytes, result.Broken = 0, 0, nil
	return result, h.refusal
}

// brokenOff is what the client is told of an answer that did not come to its end
// before anything of it was sent.
func (h *held) brokenOff(err error) error {
	ctx := h.screen.tx.Request.Context()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.late:
		return problem.New(problem.GatewayTimeout, "").Because(err)
	case ctx.Err() != nil:
		return problem.New(problem.ClientClosed, "").Because(context.Cause(ctx))
	}
	return problem.New(problem.BadGateway, "").Because(fmt.Errorf("the answer broke off: %w", err))
}

// looksAt tells whether an answer is inspected, and as which type. The error is
// what the client gets in place of an answer of such a type that cannot be read.
func (r Responses) looksAt(method string, status int, header http.Header) (media string, look bool, err error) {
	length := header["Content-Length"]
	if method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified || len(length) == 1 && length[0] == "0" {
		return "", false, nil
	}
	if status == http.StatusPartialContent {
		return "", false, withheld(errors.New("the upstream answers with a part, which it was not asked for"))
	}
	if media, look = r.listed(header["Content-Type"]); look && encoded(header) {
		return "", false, withheld(fmt.Errorf("the upstream encodes the answer as %q, which it was asked not to; have it send what is plain", clip(header.Get("Content-Encoding"))))
	}
	return media, look, nil
}
