package waf

import (
	"net/http"
	"slices"
	"unsafe"

	"portcullis/gateway/internal/waf/collect"
)

// answer is an answer as it is inspected. The engine and the proof are told of
// one and the same.
type answer struct {
	collect.Answer
	id   string // of the request
	body []byte
	// partly says that body is only the beginning.
	partly bool
}

// take takes the head of an answer as the client would get it, its fields in a
// stable order. media is what it is inspected as: what a server spells Text/HTML
// is the same to a browser, and not to the engine.
func (a *answer) take(status int, proto string, h http.Header, media string) {
	a.Status, a.Proto = status, proto
	names := make([]string, 0, len(h))
	for name := range h {
		if name != "Content-Type" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	a.Fields = append(a.Fields[:0], collect.Field{Name: "Content-Type", Value: media})
	for _, name := range names {
		for _, value := range h[name] {
			a.Fields = append(a.Fields, collect.Field{Name: name, Value: value})
		}
	}
	a.Media = media
}

// text is the body; nobody changes it while it is inspected.
func (a *answer) text() string { return unsafe.String(unsafe.SliceData(a.body), len(a.body)) }

// kept is the same answer for later, when this one has been given.
func (a *answer) kept() *answer {
	if a == nil {
		return nil
	}
	k := *a
	k.Fields, k.body = slices.Clone(a.Fields), slices.Clone(a.body)
	return &k
}
