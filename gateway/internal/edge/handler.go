// Package edge is where requests come in: it pins the snapshot, settles who the
// client is and which path was asked, removes what clients may not say, runs
// the stages, answers, and writes the one event of each request. It is the only
// package that writes a refusal.
package edge

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Events takes finished event lines. Write must not block: a stalled reader
// of the log may lose events, never stall requests.
type Events interface {
	Write(line []byte) (int, error)
}

// Config is what a Handler needs.
type Config struct {
	// Current gives the snapshot in force.
	Current *pipeline.Current
	// Events receives one line a request.
	Events Events
	// Alerts receives the security events, one line for each WAF profile that
	// found something in a request; nil is Events.
	Alerts Events
	// Unmatched counts the requests that no route took.
	Unmatched pipeline.Meter
	// Log is for faults of ours.
	Log *slog.Logger
	// Observe, if set, is told of each request that has ended. It must not keep
	// tx, which serves another request afterwards.
	Observe func(tx *pipeline.Transaction, d pipeline.Decision, status int)
	// BodyRate is how many bytes a second a request body has to bring, after five
	// seconds, where its route has time for more; default DefaultBodyRate.
	BodyRate int
	// Streams is how many requests may be under way over HTTP/2 before each
	// connection gets only four; default DefaultStreams.
	Streams int
	// Described says that requests come over no connection, as those of tests do:
	// what a client proves by its connection is taken as proved.
	Described bool
	// Now is the clock requests are decided by; nil is time.Now.
	Now func() time.Time
}

// Handler is the gateway's public handler.
type Handler struct {
	current   *pipeline.Current
	events    Events
	alerts    Events
	unmatched pipeline.Meter
	log       *slog.Logger
	observe   func(tx *pipeline.Transaction, d pipeline.Decision, status int)
	now       func() time.Time
	bodyRate  int
	described bool
	streams   streams
	pool      sync.Pool
}

// New returns the public handler.
func New(c Config) (*Handler, error) {
	if c.Current == nil || c.Events == nil || c.Unmatched == nil || c.Log == nil {
		return nil, errors.New("edge: current, events, unmatched and log are all required")
	}
	h := &Handler{current: c.Current, events: c.Events, alerts: c.Alerts, unmatched: c.Unmatched, log: c.Log, observe: c.Observe, now: c.Now, bodyRate: c.BodyRate, described: c.Described}
	if h.alerts == nil {
		h.alerts = h.events
	}
	if h.bodyRate < 0 || c.Streams < 0 {
		return nil, errors.New("edge: the rate of bodies and the number of streams cannot be negative, and nothing is unlimited here")
	}
	if h.streams.many = c.Streams; h.streams.many == 0 {
		h.streams.many = DefaultStreams
	}
	if h.bodyRate == 0 {
		h.bodyRate = DefaultBodyRate
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.pool.New = func() any { return &exchange{line: make([]byte, 0, 2048)} }
	return h, nil
}

// exchange is the memory of one request, used again for later ones.
type exchange struct {
	tx   pipeline.Transaction
	out  outcome
	line []byte
	// pressed says that there are so many requests that this one is refused, in
	// as little as can be.
	pressed bool
}

// ServeHTTP runs one request through the pipeline.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		h.serve(w, r, false)
		return
	}
	if !h.streams.enter(r.RemoteAddr) {
		h.serve(w, r, true)
		return
	}
	defer h.streams.leave(r.RemoteAddr)
	s := &stream{ResponseWriter: w}
	h.serve(s, r, false)
	s.flush()
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, pressed bool) {
	x := h.pool.Get().(*exchange)
	x.tx.Reset()
	x.out, x.pressed = outcome{}, pressed
	tx := &x.tx
	tx.Request, tx.Start, tx.ID = r, h.now(), newID()
	tx.Snapshot = h.current.Load()
	w.Header()["X-Request-Id"] = []string{tx.ID}
	defer h.finish(x)
	defer h.recover(w, x)

	if pressed {
		x.out.decision = pipeline.Decision{Kind: pipeline.Fault, Problem: problem.New(problem.Overloaded, "").With("Retry-After", "1")}
		h.refuse(w, x)
		return
	}
	if denial := h.prepare(w, tx); denial != nil {
		x.out.decision = unrouted(tx, denial)
		h.refuse(w, x)
		return
	}
	if tx.Preflight {
		h.preflight(w, x)
		return
	}
	if x.out.decision = pipeline.Decide(tx); x.out.decision.Kind != pipeline.Allow {
		h.refuse(w, x)
		return
	}
	if tx.Route.Redirect != nil {
		h.redirect(w, x)
		return
	}
	result, err := tx.Route.Forward.Forward(w, tx)
	x.out.result = result
	x.out.status = result.Status
	if err != nil {
		x.out.decision.Stage = pipeline.StageForward
		var p *problem.Problem
		if !errors.As(err, &p) {
			p = problem.New(problem.BadGateway, "").Because(err)
		}
		x.out.decision.Problem = p
		if p.Code == problem.AnswerWithheld {
			x.out.decision.Kind, x.out.decision.Rule = pipeline.Deny, tx.Rule
		}
		if status := p.Status(); status == http.StatusUnauthorized || status == http.StatusForbidden {
			x.out.decision.Kind = pipeline.Deny // the token service, or the upstream, knows better than our stages
		}
		h.refuse(w, x)
		return
	}
	if result.Broken != nil {
		// The status is out already; only a broken connection tells the client
		// that the body is not whole.
		panic(http.ErrAbortHandler)
	}
}

// unrouted is the decision on a request that was refused before any stage of a
// route: as it stands, unless its source sends too many of them.
func unrouted(tx *pipeline.Transaction, denial *problem.Problem) pipeline.Decision {
	if tx.Source.IsValid() {
		if d := pipeline.DecideUnrouted(tx); d.Kind != pipeline.Allow {
			return d
		}
	}
	d := pipeline.Decision{Kind: pipeline.Deny, Problem: denial}
	if denial.Status() >= 500 {
		d.Kind = pipeline.Fault
	}
	return d
}

// prepare is what happens to every request before its route is known, and up
// to the bound on its body.
func (h *Handler) prepare(w http.ResponseWriter, tx *pipeline.Transaction) *problem.Problem {
	r := tx.Request
	if tx.Snapshot == nil {
		return problem.New(problem.Unavailable, "").Because(errors.New("no policy is loaded")).With("Retry-After", "1")
	}
	if r.ProtoMajor == 1 && r.ProtoMinor > 1 {
		return problem.New(problem.BadRequest, "The request has an unknown version.")
	}
	err := connectionSpecific(r)
	if err != nil {
		return problem.New(problem.BadRequest, "The request has a field that HTTP/2 does not have.").Because(err)
	}
	if err = oneHost(r); err != nil {
		return problem.New(problem.BadRequest, "The request names two hosts.").Because(err)
	}
	if tx.Source, err = source(r, tx.Snapshot.Trusted); err != nil {
		return problem.New(problem.BadRequest, "The client address cannot be told.").Because(err)
	}
	removeOwned(r.Trailer) // a backend may merge trailers into the header
	if removeOwned(r.Header) > maxFields {
		return problem.New(problem.HeadersTooLarge, "The request has too many header fields.")
	}
	removeNamed(r.Header)
	if len(r.Header["Content-Type"]) > 1 {
		// The WAF could inspect by one and the upstream parse by the other.
		return problem.New(problem.BadRequest, "The request has more than one Content-Type field.")
	}
	host, ok := canonicalHost(r.Host)
	if !ok || !tx.Snapshot.Hosts[host] {
		return problem.New(problem.WrongHost, "").Because(fmt.Errorf("host %q is not in hosts", clip(r.Host, 64)))
	}
	if err := h.directed(r, host, tx.Snapshot); err != nil {
		return problem.New(problem.WrongHost, "").Because(err)
	}
	tx.Host = host
	slash, err := h.canonical(tx)
	if err != nil {
		return ambiguous(err)
	}
	if denial := match(tx, slash); denial != nil {
		return denial
	}
	if upgrade := r.Header["Upgrade"]; upgrade != nil && r.ProtoMajor == 1 && !(tx.Route.WebSocket && len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket")) {
		return problem.New(problem.BadRequest, "This upgrade is not served here.")
	}
	if tx.Route.WebSocket && !tx.Route.CORS.Converses(r.Header) {
		return problem.New(problem.Forbidden, "Pages of this origin may not open a WebSocket here.")
	}
	if tx.Route.Timeout > 0 {
		h.deadlines(w, tx)
	}
	return h.boundBody(w, tx)
}

// refuse writes the refusal that the decision holds. Only faults are logged;
// what clients did stands in the event.
func (h *Handler) refuse(w http.ResponseWriter, x *exchange) {
	p := x.out.decision.Problem
	x.out.status = p.Status()
	if p.Code == problem.Internal || x.out.decision.Kind == pipeline.Fault && p.Code == problem.Unavailable {
		h.log.Error("a request failed on our side", "request_id", x.tx.ID, "stage", x.out.decision.Stage, "error", p.Error())
	}
	h.write(w, x)
}

// write answers with the decision's problem. What that says of itself (its type,
// that nobody may keep it) replaces what the policy sets.
func (h *Handler) write(w http.ResponseWriter, x *exchange) {
	x.tx.Complete(w.Header())
	giveBack(x.tx.Request)
	if x.out.status == problem.Unanswered {
		panic(http.ErrAbortHandler)
	}
	if x.tx.Request.ProtoMajor == 2 {
		if x.pressed {
			w.Header()["Retry-After"] = []string{"1"}
			w.WriteHeader(x.out.status) // a body would wait for a window
			return
		}
		// A server without deadlines is one in a test.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(refusalWait))
	}
	if speaksGRPC(x.tx.Request) {
		writeGRPC(w, x.out.decision.Problem)
		return
	}
	problem.Write(w, x.tx.Request, x.out.decision.Problem, x.tx.ID)
}

// recover turns a panic of ours into 500 when nothing was sent, and into a
// broken connection otherwise: half an answer must not look whole.
func (h *Handler) recover(w http.ResponseWriter, x *exchange) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	h.log.Error("a request panicked", "request_id", x.tx.ID, "panic", fmt.Sprint(cause), "stack", string(bytes.TrimSpace(debug.Stack())))
	forwarding := x.out.decision.Kind == pipeline.Allow
	x.out.decision.Kind = pipeline.Fault
	x.out.decision.Problem = problem.New(problem.Internal, "").Because(fmt.Errorf("panic: %v", cause))
	x.out.status = http.StatusInternalServerError
	if forwarding {
		panic(http.ErrAbortHandler)
	}
	h.write(w, x)
}

// finish runs the clean-ups, counts, and writes the event, exactly once.
func (h *Handler) finish(x *exchange) {
	tx := &x.tx
	tx.Done()
	x.out.took = time.Since(tx.Start)
	meter := h.unmatched
	if tx.Route != nil {
		meter = tx.Route.Meter
	}
	meter.Observe(x.out.decision.Kind, x.out.status, x.out.took)
	x.out.trace = pipeline.TraceID(tx.Request.Header)
	x.line = appendEvent(x.line[:0], tx, &x.out)
	if h.observe != nil {
		h.observe(tx, x.out.decision, x.out.status) // first: a reader of the event may ask about it at once
	}
	// The writer counts what it has to drop; there is nobody else to tell.
	_, _ = h.events.Write(x.line)
	h.alert(x)
	if tx.Request.Body == nil || tx.Request.Body == http.NoBody {
		h.pool.Put(x) // with a body, the transport may still be reading through the transaction
	}
}
