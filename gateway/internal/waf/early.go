package waf

import (
	"slices"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/proof"
)

// maxBegun bounds the proofs that are half done because a body is still to come,
// some 30 KiB each. Beyond them the head is proved once more when the body is there,
// so that those who send slowly cannot fill the memory.
const maxBegun = 256

// body judges the head of a request, and takes in its body if that may pass: what a
// rule of phase 1 stops, or would cost too much, is refused before it is sent in full.
func (s *stage) body(tx *pipeline.Transaction, request *subject) error {
	profile := &s.enforced.profile
	if tx.AwaitsBody() {
		defer s.gate.begun.Add(-1)
		full := s.gate.begun.Add(1) > maxBegun
		if err := s.early(tx, request); err != nil {
			return err
		}
		if full {
			request.endCheck()
		}
	}
	if err := tx.ReadBody(profile.Body); err != nil {
		return err
	}
	format, err := profile.boundedBody(tx, tx.Body)
	if err != nil {
		return err
	}
	request.body, request.format = tx.Body, format
	return nil
}

// early judges a head whose body is still to come.
func (s *stage) early(tx *pipeline.Transaction, request *subject) error {
	u, ctx := s.enforced, tx.Request.Context()
	proof := u.saidOfHead(ctx, request)
	if u.proving.spares(proof) {
		return nil
	}
	if cost, over := u.tooDear(request, proof); over {
		if u.profile.Over == OverRecord {
			return nil // it is recorded once, when the body is there
		}
		return u.over(tx, request, proof, cost)
	}
	if !u.mayStopEarly(request) {
		return nil
	}
	if err := s.gate.enter(tx); err != nil {
		return err
	}
	defer s.gate.leave()
	request.early = true
	found, err := u.inspect(ctx, request, maxRules)
	request.early = false
	u.compare(ctx, request, proof, found, err)
	if err != nil || found.interruption == nil {
		return err
	}
	u.proving.meter.unsure(proof.Rule)
	tx.WAF = found.Inspection
	tx.WAF.Proof = proof
	return u.stops(tx, found)
}

// mayStopEarly tells whether the engine has to be asked about a head: the Core Rule
// Set decides when it has seen all, so that only patches stop before the body.
func (i *Inspector) mayStopEarly(s *subject) bool {
	for id, r := range i.patchRules {
		if r.early && !(s.narrow && s.spares(id)) {
			return true
		}
	}
	return false
}

func (s *subject) spares(id int) bool {
	return slices.ContainsFunc(s.spared, func(span proof.Span) bool { return span.From <= id && id <= span.To })
}
