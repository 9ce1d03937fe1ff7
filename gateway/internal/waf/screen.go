package waf

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// screen inspects the answer to one request. It belongs to the goroutine of the
// request.
type screen struct {
	gate *Gate
	use  *Use
	tx   *pipeline.Transaction
	// request is kept until the answer is there. session is what the engine knows
	// of it; nil when it was proved clean, or too many are open.
	request *subject
	session *session
	// clean says that the request was proved clean, so that its answer can be.
	clean  bool
	answer answer
}

// maxSessions bounds the requests that the engine keeps in mind until they are
// answered, some hundred KiB each. Any other is shown to it again with its answer.
const maxSessions = 256

// screen leaves on the transaction who inspects its answer.
func (s *stage) screen(tx *pipeline.Transaction, request *subject) *screen {
	c := &screen{gate: s.gate, use: s.enforced, tx: tx, request: request}
	c.answer.id = tx.ID
	tx.OnDone(c.done)
	return c
}

// keep takes what the engine knows of the request.
func (c *screen) keep(o *session) {
	if c.gate.sessions.Add(1) > maxSessions {
		c.gate.sessions.Add(-1)
		_ = o.close() // it has told what it found
		return
	}
	c.session = o
}

// done lets go of all that was kept.
func (c *screen) done() {
	c.drop()
	c.use.release(c.request)
	c.request = nil
}

// stranger has the answer inspected as if it was to an ordinary request: this one
// would take too long to show to the engine, now as before.
func (c *screen) stranger() error {
	s, err := c.use.own(probeRequest("", "", ""), "")
	if err != nil {
		return fmt.Errorf("%w: an ordinary request is out of bounds: %w", errEngine, err)
	}
	c.use.release(c.request)
	c.request = s
	return nil
}

func (c *screen) drop() {
	if c.session != nil {
		_ = c.session.close() // the verdict has been given
		c.forget()
	}
}

func (c *screen) forget() {
	c.session = nil
	c.gate.sessions.Add(-1)
}

// judge inspects an answer. The error is what the client is told in its place.
func (c *screen) judge() error {
	found, err := c.inspect(func() error { return c.gate.enter(c.tx) })
	if err != nil {
		if p, ok := errors.AsType[*problem.Problem](err); ok {
			return p
		}
		return problem.New(problem.Unavailable, "").Because(err)
	}
	c.tx.WAF.Answer = found.AnswerInspection
	if found.interruption == nil {
		return nil
	}
	c.tx.Rule = "waf:" + c.use.profile.Name + ":" + strconv.Itoa(found.interruption.RuleID)
	return withheld(fmt.Errorf("WAF rule %d: %s with status %d", found.interruption.RuleID, found.interruption.Action, found.interruption.Status))
}

// inspect proves an answer, or asks the engine about it once enter has given it a
// turn.
func (c *screen) inspect(enter func() error) (leak, error) {
	ctx := c.tx.Request.Context()
	u := c.use
	proof := u.answerVerdict(ctx, c)
	if u.proving.spares(proof) {
		c.gate.question(u.Inspector, c.request, nil, &c.answer)
		return leak{AnswerInspection: pipeline.AnswerInspection{Ran: true, Partly: c.answer.partly, Proof: proof}}, nil
	}
	if err := enter(); err != nil {
		return leak{}, err
	}
	defer c.gate.leave()
	found, err := c.ask(ctx)
	u.compareAnswer(ctx, c, proof, found, err)
	found.Proof = proof
	return found, err
}

// ask shows the engine the answer, and before that the request when it does not
// know it.
func (c *screen) ask(ctx context.Context) (leak, error) {
	o := c.session
	if o == nil {
		found, err := c.use.inspectThen(ctx, c.request, maxRules, func(opened *session) { o = opened })
		if err != nil {
			return leak{}, err
		}
		if found.interruption != nil {
			// What was proved clean and is not; nothing that was asked in such a way
			// is answered.
			c.use.compare(ctx, c.request, pipeline.Proof{Clean: c.clean}, found, nil)
			return leak{interruption: found.interruption}, nil
		}
	}
	if c.session != nil {
		c.forget() // it is closed in any case
	}
	return o.settle(ctx, &c.answer, maxRules)
}

// withheld is what the client gets in place of an answer. It tells nothing of
// what that would have said.
func withheld(cause error) *problem.Problem {
	return problem.New(problem.AnswerWithheld, "").Because(cause)
}

// Forward is pipeline.AnswerInspector's.
func (c *screen) Forward(next pipeline.Forwarder, w pipeline.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	responses := c.use.profile.Responses
	h := &held{ResponseWriter: w, screen: c, responses: responses, before: w.Header().Clone(), kept: buffer{gate: c.gate, most: int(responses.Body)}}
	defer h.kept.free()
	result, err := next.Forward(h, tx)
	return h.end(result, err)
}
