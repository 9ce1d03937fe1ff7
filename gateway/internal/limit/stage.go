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
// source-limit and principal-limit.
func NewStage(name string, e *Engine, limits []Limit) pipeline.Stage {
	return &stage{name: name, set: e.Bind(limits)}
}

type stage struct {
	name string
	set  *Set
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
	if denied == nil {
		return nil
	}
	tx.Rule = denied.Name
	return refusal(denied.RetryAfter)
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
