package waf

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Stage is the name of the stage.
const Stage = "inspect"

// NewStage returns the stage that denies what i finds hostile, when g gives it
// a turn. It reads the request body and leaves it in tx.Body.
func NewStage(i *Inspector, g *Gate) pipeline.Stage { return &stage{i, g} }

type stage struct {
	inspector *Inspector
	gate      *Gate
}

func (*stage) Name() string { return Stage }

// Decide reads, bounds and inspects, in the order of what each costs: a slow
// body holds no turn at the gate.
func (s *stage) Decide(tx *pipeline.Transaction) error {
	profile := &s.inspector.profile
	if err := profile.readBody(tx); err != nil {
		return err
	}
	format, err := profile.bounded(tx.Request, tx.Body)
	if err != nil {
		return err
	}
	if err := s.gate.enter(tx); err != nil {
		return err
	}
	defer s.gate.leave()
	found, err := s.inspector.inspect(tx, format)
	if err != nil {
		return err
	}
	tx.WAF = found.Inspection
	if found.interruption == nil {
		return nil
	}
	tx.Rule = "waf:" + profile.Name + ":" + strconv.Itoa(found.interruption.RuleID)
	return denial(found.interruption)
}

// denial is what an interruption of the engine means to the client. The
// engine's status is kept where it is the request's fault; a rule that stops
// with a status of 500 says that the rule set itself is broken, which is ours.
func denial(stopped *types.Interruption) error {
	cause := fmt.Errorf("WAF rule %d: %s with status %d", stopped.RuleID, stopped.Action, stopped.Status)
	switch {
	case stopped.Status >= 500:
		return errors.Join(errEngine, cause)
	case stopped.Status == 413:
		return problem.New(problem.BodyTooLarge, "").Because(cause)
	case stopped.Status == 400:
		return problem.New(problem.BadRequest, "The request could not be read for inspection.").Because(cause)
	default:
		// Also drop and redirect: the answer is a plain refusal.
		return problem.New(problem.WAFDenied, "").Because(cause)
	}
}
