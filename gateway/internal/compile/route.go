package compile

import (
	"errors"
	"fmt"

	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// route compiles one route, or records why it cannot be.
func (b *build) route(p *policy.Route) *pipeline.Route {
	e := b.doc.Effective(p)
	methods, pattern := policy.SplitMatch(p.Match.V)
	stages, err := b.stages(p, e)
	if errors.Is(err, errRecorded) {
		return nil
	}
	if err != nil {
		b.wrong(p.Pos, CodeRoute, fmt.Sprintf("route %q: %v", p.Name.V, err), "")
		return nil
	}
	b.next.series[Series{Route: p.Name.V}] = true
	r := &pipeline.Route{
		Name: p.Name.V, Methods: methods, Pattern: pattern, Hosts: b.hosts(p.Hosts), Place: place(p.Pos), Stages: stages,
		Timeout: e.Timeout.V, Body: e.Body.V, WebSocket: p.WebSocket.V, EncodedSlash: p.EncodedSlash.V, Queries: policy.Values(p.Log),
		Meter: b.Meter(p.Name.V),
	}
	if !b.answers(r, p, e) {
		return nil
	}
	for _, stage := range stages {
		if reader, ok := stage.(pipeline.Reader); ok {
			r.Reads = r.Reads.And(reader.Reads())
		}
	}
	for _, o := range e.OptOuts {
		r.OptOuts = append(r.OptOuts, pipeline.OptOut{Stage: o.Stage, Reason: o.Reason})
	}
	return r
}

// stages is the order in which a request is decided: cheap before dear, memory
// last.
func (b *build) stages(p *policy.Route, e policy.Effective) ([]pipeline.Stage, error) {
	full, err := b.capacity(p.Name.V, e.Capacity.V)
	if err != nil {
		return nil, err
	}
	stages := []pipeline.Stage{full}
	source, principal := b.limits(p.Name.V, policy.Values(e.Limits))
	if len(source) > 0 {
		stages = append(stages, limit.NewStage(sourceLimit, b.Limits, source))
	}
	if len(e.Authenticate) > 0 {
		if b.next.verifier == nil {
			return nil, errRecorded // by its issuer
		}
		verifier, err := b.asking(e.Authenticate)
		if err != nil {
			return nil, err
		}
		authenticate, err := access.NewAuthenticate(verifier, texts(e.Authenticate))
		if err != nil {
			return nil, err
		}
		stages = append(stages, authenticate)
	}
	authorize, err := b.authorize(p, e)
	if err != nil {
		return nil, err
	}
	stages = append(stages, authorize)
	if len(principal) > 0 {
		stages = append(stages, limit.NewStage(principalLimit, b.Limits, principal))
	}
	inspect, err := b.inspect(p.Name.V, e)
	if err != nil {
		return nil, err
	}
	if inspect != nil {
		stages = append(stages, inspect)
	}
	validate, err := b.validate(p)
	if err != nil {
		return nil, err
	}
	if validate != nil {
		stages = append(stages, validate)
	}
	return stages, nil
}

// unmatched is what metrics call requests that no route took.
const unmatched = "none"

// unrouted are the limits by source that the defaults name: what every route
// inherits also counts those who knock at none.
func (b *build) unrouted() []pipeline.Stage {
	if b.doc.Gateway == nil {
		return nil
	}
	source, _ := b.limits(unmatched, policy.Values(b.doc.Gateway.Defaults.Limits))
	if len(source) == 0 {
		return nil
	}
	return []pipeline.Stage{limit.NewStage(sourceLimit, b.Limits, source)}
}

// capacity keeps the stage of a route that stays: its places are taken by
// requests of the snapshot before.
func (b *build) capacity(route string, most int) (*limit.Capacity, error) {
	kept := b.prev.capacities[route]
	if kept == nil || kept.Most() != most {
		var err error
		if kept, err = limit.NewCapacity(most); err != nil {
			return nil, err
		}
	}
	b.next.capacities[route] = kept
	return kept, nil
}

func place(p policy.Pos) string { return fmt.Sprintf("%s:%d", p.File, p.Line) }
