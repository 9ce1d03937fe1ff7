package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/netip"
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

	life *lifetime // ends at the route's timeout, or with the client
	// timer goes off when patience or the time is up, rest when the time is up
	// after patience.
	timer, rest *time.Timer
	bound       time.Duration
	// unfollow lets go of the client's context.
	unfollow func() bool
	// release ends the context of the last attempt.
	release context.CancelCauseFunc

	// header, length, upload and trailer are the request as it is sent.
	header  http.Header
	length  int64
	upload  *upload
	trailer http.Header
	values  [fieldsAdded]string
	url     url.URL
	out     *http.Request // the first attempt's, under life
	source  netip.Addr    // whose text stands in from
	from    string

	// asked, connections and writes tell how far an attempt came: whether a
	// connection was wanted, how many there were, how many took the request.
	asked               atomic.Bool
	connections, writes atomic.Int32
	before              int32 // connections of the attempts before
	hooks               httptrace.ClientTrace

	mu       sync.Mutex
	phase    phase
	late     bool // the timeout came while the answer was being copied
	slow     bool // patience is up
	disarmed bool // no timeout any more
	hints    int
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
	x.life = newLifetime(&x.hooks)
	x.out = (&http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(x.life)
	return x
}

// patience is how long an exchange may take before it looks whether its client
// is still there. Most are over by then, on a busy machine too: what is saved
// here must not be spent when there is least to spend. A client that leaves has
// its upstream asked that much longer at most.
const patience = 200 * time.Millisecond

func (x *exchange) begin() {
	x.bound = x.tx.Route.Timeout
	if x.bound <= 0 {
		x.bound = defaultTimeout
	}
	first := min(x.bound, patience)
	if x.timer == nil {
		x.timer = time.AfterFunc(first, x.wake)
	} else {
		x.timer.Reset(first)
	}
}

// wake is called when patience is up: from now on the exchange ends with its
// client, and at the route's timeout.
func (x *exchange) wake() {
	if x.bound <= patience {
		x.expire()
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.phase == over || x.disarmed {
		return // the transaction is somebody else's by now
	}
	x.slow = true
	client, life := x.tx.Request.Context(), x.life
	x.unfollow = context.AfterFunc(client, func() { life.end(context.Cause(client)) })
	x.rest = time.AfterFunc(x.bound-patience, x.expire)
}

// disarm takes the timeout away; false when it has passed.
func (x *exchange) disarm() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.disarmed = true
	x.timer.Stop()
	if x.rest != nil {
		x.rest.Stop()
	}
	return x.life.Err() == nil
}

// connected reports whether the attempt under way had a connection.
func (x *exchange) connected() bool { return x.connections.Load() > x.before }

// expire ends the exchange at the route's timeout. A client that does not read
// holds Forward in a write that no context ends, hence the deadline.
func (x *exchange) expire() {
	x.mu.Lock()
	stands := x.phase != over && !x.disarmed
	x.mu.Unlock()
	if !stands {
		return
	}
	x.interrupt(x.life.end)
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
func (x *exchange) interrupt(cancel func(error)) {
	cancel(errTimeout)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.phase == asking && x.upload != nil {
		x.upload.interrupt(x.w)
	}
}

func (x *exchange) end() {
	x.mu.Lock()
	x.phase = over
	early := x.timer.Stop() && !x.slow
	if x.rest != nil {
		x.rest.Stop()
	}
	if x.unfollow != nil {
		x.unfollow()
	}
	x.mu.Unlock()
	if x.release != nil {
		x.release(nil)
	}
	again := early && x.free()
	if !again {
		x.life.end(context.Canceled)
	}
	if x.upload != nil {
		x.upload.stop(x.w)
	}
	if x.clientErr != nil {
		x.tx.ClientFailed(x.clientErr)
	}
	if again {
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
	return x.whole && x.release == nil && x.upload == nil && x.length == 0 && x.connections.Load() == x.writes.Load() && x.life.unused()
}

func (x *exchange) recycle() {
	u := x.upstream
	clear(x.header)
	clear(x.values[:])
	x.upstream, x.w, x.tx, x.trailer = nil, nil, nil, nil
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

// attemptBound is how long one try may take.
func (x *exchange) attemptBound() time.Duration {
	if bound := x.upstream.config.Attempt; bound > 0 {
		return min(bound, x.bound)
	}
	return x.bound
}

// attempt returns the context of one try, and what to call once its answer has
// begun: a bound on the attempt does not bound the body.
func (x *exchange) attempt() (context.Context, func()) {
	x.asked.Store(false)
	x.before = x.connections.Load()
	var ctx context.Context = x.life
	answered := nothing
	if bound := x.attemptBound(); bound < x.bound {
		if x.release != nil {
			x.release(nil)
		}
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		x.release = cancel
		timer := time.AfterFunc(bound, func() { x.interrupt(cancel) })
		answered = func() { timer.Stop() }
	}
	return ctx, answered
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
