package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
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
	rewrite   *RouteOptions
	path      string // what endpoints are asked for
	websocket bool
	repeated  bool
	whole     bool // the answer was copied to its end
	clientErr error

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
	url     url.URL

	// asked, connections and writes tell how far an attempt came: whether a
	// connection was wanted, how many there were, how many took the request.
	asked               atomic.Bool
	connections, writes atomic.Int32
	before              int32 // connections of the attempts before
	hooks               httptrace.ClientTrace

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

// newExchange makes the memory of an exchange, which later ones use again.
func newExchange() *exchange {
	x := &exchange{header: make(http.Header, 2*fieldsAdded)}
	x.hooks = httptrace.ClientTrace{
		GetConn:        func(string) { x.asked.Store(true) },
		GotConn:        func(httptrace.GotConnInfo) { x.connections.Add(1) },
		WroteRequest:   func(httptrace.WroteRequestInfo) { x.writes.Add(1) },
		Got1xxResponse: x.hint,
	}
	return x
}

func (x *exchange) begin() {
	x.ctx, x.cancel = context.WithCancelCause(x.tx.Request.Context())
	bound := x.tx.Route.Timeout
	if bound <= 0 {
		bound = defaultTimeout
	}
	if x.timer == nil {
		x.timer = time.AfterFunc(bound, x.expire)
	} else {
		x.timer.Reset(bound)
	}
}

// connected reports whether the attempt under way had a connection.
func (x *exchange) connected() bool { return x.connections.Load() > x.before }

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
	stopped := x.timer.Stop()
	x.enter(over)
	if x.release != nil {
		x.release(nil)
	}
	x.cancel(nil)
	if x.upload != nil {
		x.upload.stop(x.w)
	}
	if x.clientErr != nil {
		x.tx.ClientFailed(x.clientErr)
	}
	if stopped && x.free() {
		x.recycle()
	}
}

// blame notes that the client failed. The transaction hears of it at the end:
// until then a reader of the body may be telling it the same.
func (x *exchange) blame(err error) {
	if x.clientErr == nil {
		x.clientErr = err
	}
}

// free reports whether nobody else can still be looking: no timer, and no
// goroutine of the transport. An endpoint that answers before it has read the
// request leaves one writing the header; to change it then would crash us.
func (x *exchange) free() bool {
	return x.whole && x.release == nil && x.upload == nil && x.length == 0 && x.connections.Load() == x.writes.Load()
}

func (x *exchange) recycle() {
	u := x.upstream
	clear(x.header)
	clear(x.values[:])
	x.upstream, x.w, x.tx, x.ctx, x.cancel, x.trailer = nil, nil, nil, nil, nil, nil
	x.rewrite, x.path = nil, ""
	x.clientErr = nil
	x.result, x.url = pipeline.Result{}, url.URL{}
	x.websocket, x.repeated, x.whole, x.late = false, false, false, false
	x.phase, x.hints, x.before = asking, 0, 0
	x.connections.Store(0)
	x.writes.Store(0)
	u.idle.Put(x)
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
	x.before = x.connections.Load()
	ctx, answered := x.ctx, nothing
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
	return httptrace.WithClientTrace(ctx, &x.hooks), answered
}

func nothing() {}

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
		x.tx.Route.Withhold(h)
		x.w.WriteHeader(status)
	}
	clear(h)
	for name, values := range kept {
		h[name] = values
	}
	return nil
}
