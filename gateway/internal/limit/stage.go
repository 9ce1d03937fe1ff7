package limit

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// The response fields, spelled as http.Header keeps them.
const (
	fieldPolicy = "Ratelimit-Policy"
	fieldLimit  = "Ratelimit"
)

// NewStage returns the stage, called name, that counts a request against
// limits and denies it when one of them is spent. The two of a route are
// source-limit and principal-limit. Limits in shadow are decided together after
// the others have admitted a request, as if all of them were in force.
func NewStage(name string, e *Engine, limits []Limit) pipeline.Stage {
	s := &stage{name: name}
	var enforced, shadows []Limit
	for _, l := range limits {
		if l.Shadow {
			shadows = append(shadows, l)
		} else {
			enforced = append(enforced, l)
		}
	}
	s.set = e.Bind(enforced)
	if len(shadows) > 0 {
		s.shadows = e.Bind(shadows)
	}
	return s
}

type stage struct {
	name    string
	set     *Set
	shadows *Set // nil without any
}

func (s *stage) Name() string { return s.name }

func (s *stage) Decide(tx *pipeline.Transaction) error {
	if !tx.Source.IsValid() {
		// Counted together, all such requests would spend each other's quota.
		return errors.New("the request has no source address to count by")
	}
	caller := Caller{Source: tx.Source, Principal: tx.Principal}
	if tx.Route != nil {
		caller.Route = tx.Route.Name
	}
	states, denied := s.set.Decide(tx.Start, caller, tx.Limits)
	tx.Limits = states
	if len(states) > 0 {
		policy, limit := Fields(states)
		tx.SetHeader(fieldPolicy, policy)
		tx.SetHeader(fieldLimit, limit)
	}
	if denied != nil {
		tx.Rule = denied.Name
		return refusal(denied.RetryAfter)
	}
	if s.shadows != nil {
		s.beside(tx, caller)
	}
	return nil
}

// beside counts a request against the limits in shadow and records those that
// would have denied it.
func (s *stage) beside(tx *pipeline.Transaction, c Caller) {
	first := len(tx.ShadowLimits)
	states, denied := s.shadows.Decide(tx.Start, c, tx.ShadowLimits)
	tx.ShadowLimits = states
	if denied == nil {
		return
	}
	for _, state := range states[first:] {
		if state.RetryAfter == 0 {
			continue // it would have admitted the request
		}
		l := s.shadows.named(state.Name)
		tx.WouldHave(pipeline.Shadow{Stage: s.name, Rule: l.Name, Place: l.Place, Would: pipeline.Deny, Count: l.Denials})
	}
}

// refusal tells the caller when to come back. Seconds are rounded up, so that
// whoever waits them out is admitted.
func refusal(wait time.Duration) *problem.Problem {
	seconds := strconv.FormatInt(ceilSeconds(wait), 10)
	unit := "seconds"
	if seconds == "1" {
		unit = "second"
	}
	return problem.New(problem.TooManyRequests, fmt.Sprintf("There is room for another request in %s %s.", seconds, unit)).
		With("Retry-After", seconds)
}
