package proof

import (
	"strings"

	"portcullis/gateway/internal/waf/collect"
)

// firstProcessor is how the engine will read the body by the first Content-Type
// if no rule chooses otherwise.
func firstProcessor(h *collect.Head) string {
	media := strings.TrimSpace(strings.ToLower(contentType(h)))
	switch {
	case strings.HasPrefix(media, "application/x-www-form-urlencoded"):
		return "URLENCODED"
	case strings.HasPrefix(media, "multipart/form-data"):
		return "MULTIPART"
	}
	return ""
}

// contentType is the first Content-Type, by which the engine cuts a multipart
// form.
func contentType(h *collect.Head) string {
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, "Content-Type") {
			return h.Fields[i].Value
		}
	}
	return ""
}

// Processor is how the rules have chosen that the body is read, by the engine's
// name of it, once Head has said clean or narrow; empty when they have chosen nothing.
func (k *Check) Processor() string { return k.processor }

// choose evaluates the rules that choose how the body is read, in their order,
// and those that keep others from something.
func (k *Check) choose() {
	for _, s := range k.program.selectors {
		if !k.exactly(s.links) {
			continue
		}
		if s.processor != "" {
			k.processor = s.processor
		}
		k.force = k.force || s.force
	}
	for _, x := range k.program.exempting {
		if x.number < 64 && k.exactly(x.links) {
			k.exempt |= 1 << x.number
		}
	}
}

// exactly tells whether a request meets links of the kind that can be decided
// exactly from its head.
func (k *Check) exactly(links []*link) bool {
	for _, l := range links {
		if !k.exactlyOne(l) {
			return false
		}
	}
	return true
}

func (k *Check) exactlyOne(l *link) bool {
	for n := range l.selections {
		s := &l.selections[n]
		v := sources[s.name][0]
		if v == collect.Headers {
			for f := range k.head.Fields {
				if field := &k.head.Fields[f]; s.mayBe(field.Name) && s.covers(field.Name, k.lowered(field.Name)) && k.isMet(l, field.Value) {
					return true
				}
			}
			continue
		}
		value := k.single[v]
		if v == collect.BodyProcessor {
			value = k.processor
		}
		if k.isMet(l, value) {
			return true
		}
	}
	return false
}

// isMet compares one value with a link whose argument has no macro.
func (k *Check) isMet(l *link, value string) bool {
	argument, _ := l.argument.plain()
	return k.metBy(l, value, argument)
}

// line finds the values of the request line that links of the exact kind look
// at, before the walk tells of them.
func (k *Check) line(h *collect.Head) bool {
	if len(k.program.exempting) == 0 {
		return true
	}
	k.requestLine = collect.Head{Method: h.Method, Target: h.Target, Proto: h.Proto, Source: h.Source}
	if err := k.walker.Head(&k.requestLine, (*lineSink)(k)); err != nil {
		k.ended(err)
		return false
	}
	return true
}

// lineSink keeps the single values of a head.
type lineSink Check

// Value keeps a value of the request line.
func (s *lineSink) Value(v collect.Variable, _, value string) bool {
	if early(v) {
		s.single[v] = value
	}
	return true
}
