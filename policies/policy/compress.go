package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// compressed reads true, or the media types that are compressed.
func compressed(on *Value[bool], types *[]Value[string]) reader {
	switched, listed := truth(on), texts(types)
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			if n.Kind == yaml.SequenceNode {
				listed.read(d, n)
				return
			}
			switched.read(d, n)
		},
		schema: func() *schema { return anyOf(switched.schema(), listed.schema()) },
	}
}

// compress checks which answers a route compresses.
func (v *validator) compress(r *Route) {
	for _, t := range r.CompressTypes {
		if why := wrongMediaRange(t.V); why != "" {
			v.report(t.Pos, CodeForm, fmt.Sprintf("%q cannot be compressed", t.V), why, "write text/html, text/* or application/*+json; or compress: true for what is text")
		}
	}
}

// wrongMediaRange tells why a media type, or a range of them, cannot stand in
// compress, or nothing.
func wrongMediaRange(s string) string {
	kind, sub, ok := strings.Cut(s, "/")
	if rest, any := strings.CutPrefix(sub, "*"); any && (rest == "" || rest[0] == '+') {
		sub = "x" + rest
	}
	switch {
	case s != strings.ToLower(s):
		return "media types are written in lower case here"
	case !ok || !isMediaToken(kind) || !isMediaToken(sub):
		return "it is not a media type, nor a range of them"
	case kind == "application" && (sub == "grpc" || strings.HasPrefix(sub, "grpc+")):
		return "gRPC compresses its messages itself"
	case strings.HasPrefix(s, "multipart/byteranges"):
		return "parts of a body stay as they are"
	}
	return ""
}

// isMediaToken takes the names of RFC 6838 section 4.2.
func isMediaToken(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$&-^_.+", c) {
			return false
		}
	}
	return s != "" && len(s) <= 127
}

// Compressed are the media types and ranges that a route compresses; nil when
// it compresses none.
func (r *Route) Compressed() []string {
	if r.Compress.V {
		return DefaultCompressed()
	}
	return Values(r.CompressTypes)
}
