package compile

import (
	"fmt"

	"portcullis/gateway/internal/body"
	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// validate is the stage that asks a route's schema; nil without one.
func (b *build) validate(p *policy.Route) (pipeline.Stage, error) {
	v := p.Validate
	if v == nil {
		return nil, nil
	}
	text, ok := b.doc.File(v.Schema.V)
	if !ok {
		b.wrong(v.Schema.Pos, CodeSchema, fmt.Sprintf("the schema %q is not among the policy files", v.Schema.V), "")
		return nil, errRecorded
	}
	schema, err := body.NewSchema(v.Schema.V, text)
	if err != nil {
		b.wrong(v.Schema.Pos, CodeSchema, err.Error(), "")
		return nil, errRecorded
	}
	c := body.Config{Schema: schema, Place: place(v.Pos), Shadow: v.Mode.V == shadow}
	if c.Shadow {
		c.Denials = b.shadow(p.Name.V, body.Stage, body.Stage, pipeline.Deny)
		c.Faults = b.shadow(p.Name.V, body.Stage, body.Stage, pipeline.Fault)
	}
	return body.NewStage(c), nil
}
