package waf

import (
	"errors"
	"strconv"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// beside inspects a request by a profile in mode shadow and records what it
// would have come to. A full gate means that the request is not inspected:
// nobody waits for what decides nothing. That, and a failure of the engine, is
// recorded as a fault, or the record would look cleaner than the traffic.
func (u *Use) beside(tx *pipeline.Transaction, body []byte, unread error, g *Gate) {
	if unread != nil || int64(len(body)) > u.profile.Body {
		u.record(tx, u.profile.Name, pipeline.Deny)
		return
	}
	format, err := u.profile.bounded(tx, body)
	if err != nil {
		u.record(tx, u.profile.Name, pipeline.Deny)
		return
	}
	s := u.subject(tx, body, format)
	defer u.release(s)
	ctx := tx.Request.Context()
	proof := u.verdict(ctx, s)
	if u.proving.spares(proof) {
		tx.ShadowWAF = append(tx.ShadowWAF, u.proved(s, proof))
		g.doubt(u.Inspector, s)
		return
	}
	if _, over := u.tooDear(s, proof); over {
		u.proving.meter.over()
		if u.profile.Over == OverReject {
			u.record(tx, u.profile.Name+":"+costRule, pipeline.Deny)
		}
		return
	}
	if !g.tryEnter() {
		u.record(tx, u.profile.Name, pipeline.Fault)
		return
	}
	defer g.leave()
	found, err := u.inspect(ctx, s, maxRules)
	u.compare(ctx, s, proof, found, err)
	g.doubtNarrowed(u.Inspector, s, found, err)
	found.Proof = proof
	tx.ShadowWAF = append(tx.ShadowWAF, found.Inspection)
	if err == nil && found.interruption != nil {
		err = u.denial(found.interruption)
	}
	rule := u.profile.Name
	if found.interruption != nil {
		rule += ":" + strconv.Itoa(found.interruption.RuleID)
	}
	if err == nil {
		return
	}
	if _, denied := errors.AsType[*problem.Problem](err); denied {
		u.record(tx, rule, pipeline.Deny)
	} else {
		u.record(tx, rule, pipeline.Fault)
	}
}

func (u *Use) record(tx *pipeline.Transaction, rule string, would pipeline.Kind) {
	count := u.Denials
	if would == pipeline.Fault {
		count = u.Faults
	}
	tx.WouldHave(pipeline.Shadow{Stage: Stage, Rule: rule, Place: u.Place, Would: would, Count: count})
}
