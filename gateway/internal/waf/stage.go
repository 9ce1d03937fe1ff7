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

// Use is a profile as one route uses it.
type Use struct {
	*Inspector
	// Place is where the policy defines the profile, and Exclusions where it does
	// each of its exclusions.
	Place      string
	Exclusions []string
	// Denials and Faults count what the profile would have done in mode shadow;
	// they may be nil.
	Denials, Faults pipeline.Counter
}

// NewStage returns the stage that denies what enforced finds hostile, when g
// gives it a turn, and records what each of shadows would have denied. enforced
// may be nil. An enforced profile has the request body read into tx.Body; one
// in shadow only looks at what passes.
func NewStage(g *Gate, enforced *Use, shadows ...Use) pipeline.Stage {
	s := &stage{gate: g, enforced: enforced, shadows: shadows}
	for _, u := range shadows {
		s.most = max(s.most, u.profile.Body)
	}
	return s
}

type stage struct {
	gate     *Gate
	enforced *Use
	shadows  []Use
	most     int64 // of a body, for the shadows
}

func (*stage) Name() string { return Stage }

func (s *stage) Decide(tx *pipeline.Transaction) error {
	if s.enforced != nil {
		if err := s.enforce(tx); err != nil {
			return err
		}
	}
	if len(s.shadows) > 0 {
		look := s.onlook(tx)
		tx.WatchBody(s.most, func(body []byte, err error) {
			look.request(body)
			for i := range s.shadows {
				s.shadows[i].beside(tx, body, err, s.gate)
			}
		})
	}
	return nil
}

// enforce reads, bounds, proves and inspects, in the order of what each costs: a
// slow body holds no turn at the gate, and no room of the proof.
func (s *stage) enforce(tx *pipeline.Transaction) error {
	profile := &s.enforced.profile
	if err := profile.boundedHead(tx); err != nil {
		return err
	}
	request := s.enforced.subject(tx, nil, formatNone)
	var screen *screen
	var keep func(*session)
	if profile.Responses.Some() {
		screen = s.screen(tx, request)
		tx.Answers, keep = screen, screen.keep
	} else {
		defer s.enforced.release(request)
	}
	if err := s.body(tx, request); err != nil {
		return err
	}
	ctx := tx.Request.Context()
	proof := s.enforced.verdict(ctx, request)
	if screen != nil {
		screen.clean = proof.Clean
	}
	if s.enforced.proving.spares(proof) {
		tx.WAF = s.enforced.proved(request, proof)
		s.gate.doubt(s.enforced.Inspector, request)
		return nil
	}
	if cost, over := s.enforced.tooDear(request, proof); over {
		err := s.enforced.over(tx, request, proof, cost)
		if err == nil && screen != nil {
			return screen.stranger()
		}
		return err
	}
	if err := s.gate.enter(tx); err != nil {
		return err
	}
	defer s.gate.leave()
	found, err := s.enforced.inspectThen(ctx, request, maxRules, keep)
	s.enforced.compare(ctx, request, proof, found, err)
	s.gate.doubtNarrowed(s.enforced.Inspector, request, found, err)
	if err != nil {
		return err
	}
	tx.WAF = found.Inspection
	tx.WAF.Proof = proof
	return s.enforced.stops(tx, found)
}

// stops is the refusal of what the engine stopped; nil when it may pass.
func (u *Use) stops(tx *pipeline.Transaction, found finding) error {
	if found.interruption == nil {
		return nil
	}
	tx.Rule = "waf:" + u.profile.Name + ":" + strconv.Itoa(found.interruption.RuleID)
	return u.denial(found.interruption)
}

// denial is what an interruption of the engine means to the client: a refusal with
// the status of the rule. One of the rule set that stops with 500 says that it is
// broken itself, which is ours; one of a patch means what it says.
func (i *Inspector) denial(stopped *types.Interruption) error {
	cause := fmt.Errorf("WAF rule %d: %s with status %d", stopped.RuleID, stopped.Action, stopped.Status)
	_, patch := i.patchRules[stopped.RuleID]
	switch {
	case patch && stopped.Action == "deny":
		return problem.New(problem.WAFDenied, "").Because(cause).Answering(stopped.Status)
	case patch && stopped.Action == "redirect":
		return problem.New(problem.WAFDenied, "").Because(cause).Elsewhere(stopped.Status, stopped.Data)
	case patch && stopped.Action == "drop":
		return problem.New(problem.WAFDenied, "").Because(cause).Silently()
	case stopped.Status >= 500:
		return errors.Join(errEngine, cause)
	case stopped.Status == 413:
		return problem.New(problem.BodyTooLarge, "").Because(cause)
	case stopped.Status == 400:
		return problem.New(problem.BadRequest, "The request could not be read for inspection.").Because(cause)
	case stopped.Action == "deny":
		return problem.New(problem.WAFDenied, "").Because(cause).Answering(stopped.Status)
	default:
		// The rule set neither drops nor redirects.
		return problem.New(problem.WAFDenied, "").Because(cause)
	}
}
