package policy

import (
	"fmt"
	"strings"
)

// Bounds on what is inspected of answers. They are in memory meanwhile.
const (
	responseTypesMost = 16
	responseBodyLeast = 1 << 10
	responseBodyMost  = 512 << 10
)

func responsesTable(v *Responses) table {
	return table{"responses", &v.Pos, []field{
		{"types", true, texts(&v.Types), "media types without parameters, at most 16: `[text/html, application/json]`. Answers of other types pass as they come"},
		{"body", false, size(&v.Body), "most bytes that are looked at, from `1KiB`; default `128KiB`, most `512KiB`. What comes after them passes unseen"},
	}}
}

// responses checks which answers a profile inspects.
func (v *validator) responses(p *WAFProfile) {
	r := p.Responses
	if r == nil {
		return
	}
	within(v, r.Body, responseBodyLeast, responseBodyMost, FormatSize)
	if len(r.Types) > responseTypesMost {
		v.report(r.Types[responseTypesMost].Pos, CodeBounds, fmt.Sprintf("a profile inspects answers of %d media types", responseTypesMost), fmt.Sprintf("this is one of %d", len(r.Types)), "leave some out")
	}
	for _, t := range r.Types {
		if why := uninspectable(t.V); why != "" {
			v.report(t.Pos, CodeForm, fmt.Sprintf("answers of type %q cannot be inspected", t.V), why, "write media types as text/html or application/json")
		}
	}
}

// uninspectable tells why answers of a media type cannot be inspected; empty when
// they can.
func uninspectable(s string) string {
	kind, sub, ok := strings.Cut(s, "/")
	switch {
	case s != strings.ToLower(s):
		return "media types are written in lower case here"
	case strings.ContainsAny(s, "; "):
		return "parameters are not looked at"
	case strings.Contains(s, "*"):
		return "each type is named, so that nobody has to guess which answers are held back"
	case !ok || !isMediaToken(kind) || !isMediaToken(sub):
		return "it is not a media type"
	case s == "text/event-stream":
		return "it has no end, and whoever waits for an event would wait for it"
	case kind == "application" && (sub == "grpc" || strings.HasPrefix(sub, "grpc")):
		return "gRPC frames and compresses its messages itself"
	case kind == "multipart":
		return "its parts have types of their own"
	}
	return ""
}
