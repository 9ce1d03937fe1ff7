package compile

import (
	"slices"
	"strings"

	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// responsesOf says which answers a profile inspects.
func responsesOf(p *policy.WAFProfile) waf.Responses {
	if p.Responses == nil {
		return waf.Responses{}
	}
	return waf.Responses{Types: strings.Join(policy.Values(p.Responses.Types), " "), Body: p.Responses.Body.Or(policy.DefaultResponseBody)}
}

// answered tells whether some profile of a route inspects answers, and whether
// one in force does.
func (b *build) answered(e policy.Effective) (some, enforced bool) {
	for _, name := range e.WAF {
		i := slices.IndexFunc(b.doc.WAF, func(p *policy.WAFProfile) bool { return p.Name.V == name.V })
		if i < 0 || b.doc.WAF[i].Responses == nil {
			continue
		}
		some = true
		enforced = enforced || b.doc.WAF[i].Mode.V != shadow
	}
	return some, enforced
}

// readable has an upstream send what can be inspected.
func readable(o upstream.RouteOptions, p *policy.Rewrite, b *build) (upstream.RouteOptions, error) {
	set, remove := waf.RequestFields()
	if p != nil {
		own, gone, _ := b.fields(p.Fields, upstream.NewFields, func(f policy.Field) (string, error) { return b.expand(f.Value) })
		set, remove = append(own, set...), append(gone, remove...) // what is set last stands
	}
	var err error
	o.Fields, err = upstream.NewFields(set, remove)
	return o, err
}
