package compile

import (
	"errors"
	"fmt"
	"strings"

	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// route compiles one route, or records why it cannot be.
func (b *build) route(p *policy.Route) *pipeline.Route {
	e := b.doc.Effective(p)
	method, pattern, _ := strings.Cut(p.Match.V, " ")
	to := b.next.upstreams[e.Upstream]
	if to == nil {
		return nil // its own mistake has been recorded
	}
	stages, err := b.stages(p, e)
	if errors.Is(err, errRecorded) {
		return nil
	}
	if err != nil {
		b.wrong(p.Pos, CodeRoute, fmt.Sprintf("route %q: %v", p.Name.V, err), "")
		return nil
	}
	r := &pipeline.Route{
		Name: p.Name.V, Method: method, Pattern: strings.TrimSpace(pattern), Place: place(p.Pos), Stages: stages,
		Upstream: e.Upstream, Timeout: e.Timeout, Body: e.Body, WebSocket: p.WebSocket.V, Queries: values(p.Log),
		Meter: b.Meter(p.Name.V), Forward: to.Forwarder(upstream.RouteOptions{}),
	}
	for _, o := range e.OptOuts {
		r.OptOuts = append(r.OptOuts, pipeline.OptOut{Stage: o.Stage, Reason: o.Reason})
	}
	return r
}

// stages is the order in which a request is decided: cheap before dear, memory
// last.
func (b *build) stages(p *policy.Route, e policy.Effective) ([]pipeline.Stage, error) {
	full, err := b.capacity(p.Name.V, e.Capacity)
	if err != nil {
		return nil, err
	}
	stages := []pipeline.Stage{full}
	source, principal := b.limits(e.Limits)
	if len(source) > 0 {
		stages = append(stages, limit.NewStage("source-limit", b.Limits, source))
	}
	if len(e.Authenticate) > 0 {
		if b.next.verifier == nil {
			return nil, errRecorded // by its issuer
		}
		authenticate, err := access.NewAuthenticate(b.next.verifier, e.Authenticate)
		if err != nil {
			return nil, err
		}
		stages = append(stages, authenticate)
	}
	authorize, err := access.NewAuthorize(rules("allow", p.Allow), rules("deny", p.Deny))
	if err != nil {
		return nil, err
	}
	stages = append(stages, authorize)
	if len(principal) > 0 {
		stages = append(stages, limit.NewStage("principal-limit", b.Limits, principal))
	}
	if e.WAF != "" {
		inspector, err := b.inspector(e.WAF)
		if err != nil {
			return nil, err
		}
		stages = append(stages, waf.NewStage(inspector, b.Gate))
	}
	return stages, nil
}

// unrouted are the limits by source that the defaults name: what every route
// inherits also counts those who knock at none.
func (b *build) unrouted() []pipeline.Stage {
	if b.doc.Gateway == nil {
		return nil
	}
	source, _ := b.limits(values(b.doc.Gateway.Defaults.Limits))
	if len(source) == 0 {
		return nil
	}
	return []pipeline.Stage{limit.NewStage("source-limit", b.Limits, source)}
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

func rules(kind string, list []*policy.Rule) []access.Rule {
	out := make([]access.Rule, len(list))
	for i, p := range list {
		out[i] = access.Rule{
			Place: kind + " (" + place(p.Pos) + ")", Scopes: values(p.Scopes), Owner: p.Owner.V, Clients: values(p.Clients), Anyone: p.Anyone.V,
		}
	}
	return out
}

func place(p policy.Pos) string { return fmt.Sprintf("%s:%d", p.File, p.Line) }
