package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// errTimeout is the cause of a context that one of our bounds has ended.
var errTimeout = errors.New("the upstream took longer than the policy allows")

// defaultTimeout bounds an exchange whose route says nothing; a policy cannot
// leave it out, so this is the last resort.
const defaultTimeout = 30 * time.Second

// exchange is one request and its answer. It belongs to the goroutine of
// Forward; what the transport's goroutines touch is atomic or under mu.
type exchange struct {
	upstream  *Upstream
	w         http.ResponseWriter
	tx        *pipeline.Transaction
	result    pipeline.Result
	websocket bool
	repeated  bool

	ctx    context.Context // ends at the route's timeout, or with the client
	cancel context.CancelCauseFunc
	timer  *time.Timer
	// release ends the context of the last attempt.
	release context.CancelCauseFunc

	// header, length, upload and trailer are the request as it is sent.
	header  http.Header
	length  int64
	upload  *upload
	trailer http.Header
	values  [fieldsAdded]string

	// asked and connected tell how far an attempt came: whether a connection
	// was wanted, and whether there was one.
	asked, connected atomic.Bool

	mu    sync.Mutex
	phase phase
	late  bool // the timeout came while the answer was being copied
	hints int
}

// phase is where an exchange stands.
type phase uint8

const (
	asking phase = iota
	copying
	over
)

func (x *exchange) begin() {
	x.ctx, x.cancel = context.WithCancelCause(x.tx.Request.Context())
	bound := x.tx.Route.Timeout
	if bound <= 0 {
		bound = defaultTimeout
	}
	x.timer = time.AfterFunc(bound, x.expire)
}

// expire ends the exchange at the route's timeout. A client that does not read
// holds Forward in a write that no context ends, hence the deadline.
func (x *exchange) expire() {
	x.interrupt(x.cancel)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.phase == copying {
		x.late = true
		// Without deadlines the server's own bound on writing must do.
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Unix(1, 0))
	}
}

// interrupt ends an attempt. The transport waits for whoever reads the request
// body, and a client that sends nothing more would keep it waiting.
func (x *exchange) interrupt(cancel context.CancelCauseFunc) {
	cancel(errTimeout)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.phase == asking && x.upload != nil {
		x.upload.interrupt(x.w)
	}
}

func (x *exchange) end() {
	x.timer.Stop()
	x.enter(over)
	if x.release != nil {
		x.release(nil)
	}
	x.cancel(nil)
	if x.upload != nil {
		x.upload.stop(x.w)
	}
}

// enter moves on to another phase; from then on no hint is relayed. It reports
// whether the timeout has cut the answer short.
func (x *exchange) enter(p phase) (late bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.phase = p
	return x.late
}

// attempt returns the context of one try, and what to call once its answer has
// begun: a bound on the attempt does not bound the body.
func (x *exchange) attempt() (context.Context, func()) {
	x.asked.Store(false)
	x.connected.Store(false)
	ctx, answered := x.ctx, func() {}
	if bound := x.upstream.config.Attempt; bound > 0 && bound < x.tx.Route.Timeout {
		if x.release != nil {
			x.release(nil)
		}
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		x.release = cancel
		timer := time.AfterFunc(bound, func() { x.interrupt(cancel) })
		answered = func() { timer.Stop() }
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:        func(string) { x.asked.Store(true) },
		GotConn:        func(httptrace.GotConnInfo) { x.connected.Store(true) },
		Got1xxResponse: x.hint,
	}), answered
}

// maxHints bounds the informational answers to one request: with a hook in
// place the transport does not.
const maxHints = 16

// hint relays an informational answer (RFC 9110 section 15.2), such as 103
// Early Hints. It runs on a goroutine of the transport while Forward waits.
func (x *exchange) hint(status int, fields textproto.MIMEHeader) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hints++; x.hints > maxHints {
		return errors.New("the upstream sent too many informational answers")
	}
	if status == http.StatusContinue {
		if x.upload != nil {
			x.upload.agree() // reading the body sends the client its own 100
		}
		return nil
	}
	if x.phase != asking || !x.tx.Request.ProtoAtLeast(1, 1) {
		return nil // HTTP/1.0 knows no informational answers
	}
	h := x.w.Header()
	kept := h.Clone() // what the answer itself will hold is not part of a hint
	clear(h)
	if copyFields(h, http.Header(fields)) == nil {
		delete(h, "Content-Length")
		x.w.WriteHeader(status)
	}
	clear(h)
	for name, values := range kept {
		h[name] = values
	}
	return nil
}
