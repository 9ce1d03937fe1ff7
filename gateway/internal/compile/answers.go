package compile

import (
	"fmt"

	"portcullis/gateway/internal/compress"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// answers gives a route what stands on its answers, and who gives them. Every
// mistake is recorded at its place; false when there was one.
func (b *build) answers(r *pipeline.Route, p *policy.Route, e policy.Effective) bool {
	response, fine := b.responseFields(e.Response)
	r.Response = response
	if c := e.CORS; c != nil && len(c.Origins) > 0 {
		made, err := pipeline.NewCORS(pipeline.CORSConfig{
			Place: place(c.Pos), Origins: policy.Values(c.Origins), Headers: policy.Values(c.Headers), Expose: policy.Values(c.Expose), Methods: r.Methods,
			Credentials: c.Credentials.V, MaxAge: c.MaxAge.Or(policy.DefaultMaxAge),
		})
		if err != nil {
			b.wrong(c.Pos, CodeRoute, err.Error(), "")
			return false
		}
		r.CORS = made
	}
	if p.Redirect != nil {
		made, err := pipeline.NewRedirect(p.Redirect.To.V, r.Pattern, p.Redirect.Status.Or(policy.DefaultRedirect))
		if err != nil {
			b.wrong(p.Redirect.Pos, CodeRoute, err.Error(), "")
			return false
		}
		r.Redirect = made
		return fine
	}
	options, err := b.rewrite(r.Pattern, p.Request)
	if err != nil {
		return false
	}
	to := b.next.upstreams[e.Upstream.V]
	if to == nil {
		return false // its own mistake has been recorded
	}
	some, enforced := b.answered(e)
	if enforced {
		if options, err = readable(options, p.Request, b); err != nil {
			b.wrong(p.Pos, CodeRoute, err.Error(), "")
			return false
		}
	}
	r.Upstream, r.Forward = e.Upstream.V, to.Forwarder(options)
	if some {
		r.Forward = waf.NewForwarder(r.Forward)
	}
	if types := p.Compressed(); types != nil {
		compressed, err := compress.New(compress.Config{Next: r.Forward, Types: types, Pool: b.packers})
		if err != nil {
			b.wrong(p.Pos, CodeRoute, err.Error(), "")
			return false
		}
		r.Forward = compressed
	}
	return fine
}

// responseFields compiles the fields of answers. It points at each mistake by
// compiling each field alone.
func (b *build) responseFields(f policy.Fields) (pipeline.Fields, bool) {
	set, remove, ok := b.fields(f, pipeline.NewFields, func(p policy.Field) (string, error) { return p.Value.V, nil })
	if !ok {
		return pipeline.Fields{}, false
	}
	out, err := pipeline.NewFields(set, remove)
	return out, err == nil
}

// rewrite compiles what the upstream sees of a route's requests.
func (b *build) rewrite(pattern string, p *policy.Rewrite) (o upstream.RouteOptions, err error) {
	if p == nil {
		return o, nil
	}
	if p.Path.Set {
		if o.Path, err = pipeline.NewTemplate(p.Path.V, pattern); err != nil {
			b.wrong(p.Path.Pos, CodeRoute, err.Error(), "")
			return o, errRecorded
		}
	}
	if p.StripPrefix.Set {
		if o.StripPrefix, err = upstream.NewStripPrefix(p.StripPrefix.V, pattern); err != nil {
			b.wrong(p.StripPrefix.Pos, CodeRoute, err.Error(), "")
			return o, errRecorded
		}
	}
	set, remove, ok := b.fields(p.Fields, upstream.NewFields, func(f policy.Field) (string, error) { return b.expand(f.Value) })
	if !ok {
		return o, errRecorded
	}
	o.Fields, err = upstream.NewFields(set, remove)
	return o, err
}

// fields checks each field by itself, so that each mistake has its place, and
// gives them with their values.
func (b *build) fields(f policy.Fields, compile func([]pipeline.Field, []string) (pipeline.Fields, error), value func(policy.Field) (string, error)) (set []pipeline.Field, remove []string, ok bool) {
	ok = true
	for _, s := range f.Set {
		v, err := value(s)
		if err != nil {
			b.wrong(s.Value.Pos, CodeSecret, fmt.Sprintf("the field %s: %v", s.Name, err), "")
			ok = false
			continue
		}
		set = append(set, pipeline.Field{Name: s.Name, Value: v})
		if _, err := compile(set[len(set)-1:], nil); err != nil {
			b.wrong(s.Pos, CodeRoute, err.Error(), "")
			ok = false
		}
	}
	for _, r := range f.Remove {
		remove = append(remove, r.V)
		if _, err := compile(nil, remove[len(remove)-1:]); err != nil {
			b.wrong(r.Pos, CodeRoute, err.Error(), "")
			ok = false
		}
	}
	return set, remove, ok
}
