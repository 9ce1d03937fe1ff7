package pipeline

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"portcullis/authserver/token"
)

// ResponseWriter is what a forwarder writes to. The edge's writer supports
// http.ResponseController (flush, hijack, deadlines) through Unwrap.
type ResponseWriter = http.ResponseWriter

// Transaction is one request on its way through the pipeline: what was asked,
// under which snapshot, and what the stages found out. It lives on one
// goroutine.
type Transaction struct {
	// Request is the request as net/http parsed it, with owned headers removed
	// and the body bounded.
	Request *http.Request
	// Start is the one clock reading of the request; stages decide by it.
	Start time.Time
	// ID is the request id: 32 hex digits, made here, never taken from outside.
	ID string
	// Snapshot and Route are pinned for the life of the request.
	Snapshot *Snapshot
	Route    *Route
	// Preflight says that a browser asks whether a page may send the request that
	// Route serves; see DecidePreflight.
	Preflight bool
	// Host is the canonical host name: lower case, without port.
	Host string
	// Path is the canonical path. Router, stages, events and upstream all use
	// this one string.
	Path string
	// Params are the route's path parameters, decoded.
	Params Params
	// Query is the query as it was read, once; see ReadQuery.
	Query Query
	// Source is the client's address, never what a client claimed.
	Source netip.Addr
	// Principal is who calls; nil until authenticate has run.
	Principal *token.Principal
	// Bearer is the token by which Principal is known, as it came: a secret.
	// It is for an exchange and for nothing else; it stands in no event, log or
	// error. Empty until authenticate has run.
	Bearer string
	// Body is the whole request body once a stage had to read it; nil before.
	// A forwarder sends Body in place of Request.Body when Buffered is set.
	Body     []byte
	Buffered bool
	// Rule is the rule that decided last, as "name (file:line)" or an id.
	Rule string
	// Header holds response fields that stages want on the answer, whoever
	// gives it.
	Header http.Header
	// WAF tells what inspection found, for the event; empty when none ran.
	WAF Inspection
	// ShadowWAF tells the same of the profiles in mode shadow.
	ShadowWAF []Inspection
	// Answers inspects the answer before the client gets it; nil for nobody. A
	// stage leaves it for the forwarder.
	Answers AnswerInspector
	// Validation tells what validation of the body found.
	Validation Validation
	// Limits are the limits that were asked, for the event and the response
	// fields.
	Limits []LimitState
	// ShadowLimits are those in mode shadow, as they would stand.
	ShadowLimits []LimitState
	// Shadows are what would have been decided by what is in mode shadow.
	Shadows []Shadow

	clientErr atomic.Pointer[error]
	cleanups  []func()
	marks     [maxStages]time.Duration
}

// unrouted are the stages that a request without a route is asked.
func (tx *Transaction) unrouted() []Stage {
	if tx.Snapshot == nil {
		return nil
	}
	return tx.Snapshot.Unrouted
}

// maxStages bounds a route's stages; the pipeline has seven, and as many again
// in shadow.
const maxStages = 16

// Inspection is what the WAF stage found by one profile.
type Inspection struct {
	Profile string
	Ran     bool
	Score   int
	// Rules are the ids that matched with an effect, at most a few.
	Rules []int
	// Matches say where the first of them matched, at most a few.
	Matches []Match
	// Excluded are the exclusions whose target the request has, by their place
	// among those of the profile.
	Excluded []int
	// Proof is what the proof in front of the rules said.
	Proof Proof
	// Answer is what was found in the answer.
	Answer AnswerInspection
	// Stopped says that a rule stopped the request, by its score or by itself.
	Stopped bool
	// Hits are the rules that matched with an effect, for the security event.
	// Threshold, the score from which the profile denies, is 0 without them.
	Hits      []Hit
	Threshold int
}

// Proof tells whether a request was proved clean, and if not, why not.
type Proof struct {
	// Asked says that it was asked, Clean that no rule had to be.
	Asked, Clean bool
	// Rule is the one that it could not rule out, 0 for none. Why says the
	// reason; it has no part of the request in it.
	Rule int
	Why  string
	// Narrowed says that only the rules were asked that it could not rule out.
	Narrowed bool
}

// Validation is what the stage that validates bodies found.
type Validation struct {
	Ran bool
	// Wrong says in one line what is wrong with the body, without a value of it;
	// empty when nothing is.
	Wrong string
}

// Match is where a rule of the WAF matched. It holds no value of the request.
type Match struct {
	Rule int
	// Target is the part of the request, as rules and exclusions name it:
	// "ARGS:json.note".
	Target string
	// Message is what the rule says that it finds.
	Message string
	// Denies says that it counts towards a denial; else it is only reported.
	Denies bool
}

// LimitState is one limit as it stands after this request was counted.
type LimitState struct {
	Name string
	// Quota is how many requests the window allows, Window its length.
	Quota  int
	Window time.Duration
	// Remaining is how many more requests would be admitted right now.
	Remaining int
	// Reset is when the full quota is available again.
	Reset time.Duration
	// RetryAfter is how long until one more is admitted; 0 when one is now.
	RetryAfter time.Duration
}

// ClientFailed records that reading the request from the client failed. It is
// the client's doing: no breaker counts it. It may be called from the goroutine
// that sends the body.
func (tx *Transaction) ClientFailed(err error) {
	tx.clientErr.CompareAndSwap(nil, &err)
}

// ClientErr is the first failure recorded with ClientFailed, or nil.
func (tx *Transaction) ClientErr() error {
	if err := tx.clientErr.Load(); err != nil {
		return *err
	}
	return nil
}

// ReadQuery reads the query of the request, given without its question mark. An
// error says what makes it one that servers read differently; the query is empty
// then.
func (tx *Transaction) ReadQuery(raw string) error { return tx.Query.read(raw) }

// OnDone registers f to run once the response is complete.
func (tx *Transaction) OnDone(f func()) { tx.cleanups = append(tx.cleanups, f) }

// Done runs the clean-ups, last registered first, each once. One that panics
// keeps none of the others from running.
func (tx *Transaction) Done() {
	last := len(tx.cleanups) - 1
	if last < 0 {
		return
	}
	f := tx.cleanups[last]
	tx.cleanups[last] = nil
	tx.cleanups = tx.cleanups[:last]
	defer tx.Done()
	f()
}

// SetHeader puts a response field on the answer.
func (tx *Transaction) SetHeader(name, value string) {
	if tx.Header == nil {
		tx.Header = make(http.Header, 4)
	}
	if values := tx.Header[name]; len(values) == 1 {
		values[0] = value // both limit stages set the same fields on every request
		return
	}
	tx.Header[name] = []string{value}
}

// StageEnds tells when stage i ended, counted from Start; 0 if it did not run.
func (tx *Transaction) StageEnds(i int) time.Duration { return tx.marks[i] }

func (tx *Transaction) mark(i int) { tx.marks[i] = time.Since(tx.Start) }

// Reset makes a transaction ready for another request.
func (tx *Transaction) Reset() {
	params, limits, shadows, cleanups := tx.Params[:0], tx.Limits[:0], tx.Shadows[:0], tx.cleanups[:0]
	query := Query{params: tx.Query.params[:0]}
	clear(tx.Query.params) // nothing of a request waits for the next
	*tx = Transaction{Params: params, Query: query, Limits: limits, ShadowLimits: tx.ShadowLimits[:0], Shadows: shadows, cleanups: cleanups}
}
