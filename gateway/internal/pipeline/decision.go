package pipeline

import (
	"errors"

	"portcullis/services/problem"
)

// Kind is what a decision comes to. The zero value denies.
type Kind uint8

// A request is denied unless every stage of its route let it pass. A fault is
// a failure of ours while deciding: it is logged and answered like a denial.
const (
	Deny Kind = iota
	Allow
	Fault
)

func (k Kind) String() string {
	switch k {
	case Allow:
		return "allow"
	case Fault:
		return "fault"
	default:
		return "deny"
	}
}

// Decision is the outcome of the stages for one request.
type Decision struct {
	Kind Kind
	// Stage names the stage that denied or failed; empty when allowed.
	Stage string
	// Rule is the rule, limit or WAF rule that decided, with its place in the
	// policy where it has one: "policies/routes/search.yaml:12".
	Rule string
	// Problem is what the caller is told; nil when allowed.
	Problem *problem.Problem
}

// Decide runs the route's stages in order and returns the first refusal. A
// *problem.Problem from a stage is a denial; any other error is a fault and
// becomes 503, never "allow".
func Decide(tx *Transaction) Decision { return decide(tx, tx.Route.Stages, tx.mark) }

// DecidePreflight asks, of a browser's question ahead of a page's request, the
// stages that need no more than where it comes from; a flood of such questions
// is counted like any other. Who asks is not known yet: the question carries no
// credentials (Fetch standard, section 4.8).
func DecidePreflight(tx *Transaction) Decision { return decide(tx, ahead(tx.Route), tx.mark) }

// ahead are the stages that come before any parsing.
func ahead(r *Route) []Stage {
	for i, stage := range r.Stages {
		if name := stage.Name(); name != "capacity" && name != "source-limit" {
			return r.Stages[:i]
		}
	}
	return r.Stages
}

// DecideUnrouted asks what the snapshot asks of requests that were refused
// before any stage of a route. Allow means only that nobody minds: the refusal
// stands.
func DecideUnrouted(tx *Transaction) Decision {
	return decide(tx, tx.Snapshot.Unrouted, func(int) {}) // StageEnds is for a route's stages
}

// decide asks stages in order; ended is told of each that has run.
func decide(tx *Transaction, stages []Stage, ended func(i int)) Decision {
	for i, stage := range stages {
		before := tx.Rule
		err := stage.Decide(tx)
		ended(i)
		if err == nil {
			continue
		}
		d := Decision{Kind: Deny, Stage: stage.Name()}
		if tx.Rule != before {
			d.Rule = tx.Rule // what let it pass a stage before has not refused it
		}
		if denial, ok := errors.AsType[*problem.Problem](err); ok {
			d.Problem = denial
			// By what it is: a rule of the WAF may deny with any status.
			if denial.Code.Status() >= 500 {
				d.Kind = Fault
			}
		} else {
			d.Kind = Fault
			d.Problem = problem.New(problem.Unavailable, "").Because(err).With("Retry-After", "1")
		}
		return d
	}
	return Decision{Kind: Allow, Rule: tx.Rule}
}
