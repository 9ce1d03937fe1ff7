package edge

import (
	"errors"
	"net/http"
	"net/textproto"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// maxFields bounds the header fields of a request, each line counted: every
// stage walks them, and thousands of one name fit into the bytes allowed.
const maxFields = 100

// removeOwned counts the fields, each line, and deletes those that only the
// gateway may say; see pipeline.Claimed.
func removeOwned(h http.Header) (fields int) {
	for name, values := range h {
		fields += len(values)
		if pipeline.Owned(name) {
			delete(h, name)
		}
	}
	return fields
}

// removeNamed deletes the fields that Connection says end here (RFC 9110 section
// 7.6.1). No upstream gets them: a rule that let a request pass for one, or a
// schema that took its Content-Type for JSON, would have judged another request.
func removeNamed(h http.Header) {
	for _, line := range h["Connection"] {
		if line == "keep-alive" || line == "close" {
			continue // as it mostly is
		}
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)); !pipeline.HopByHop(name) {
				delete(h, name)
			}
		}
	}
}

// connectionSpecific refuses fields of HTTP/1.1 connections in a request by
// HTTP/2, which has none of them (RFC 9113 section 8.2.2): what reads such a
// request as HTTP/1.1 later would frame it by them. net/http refuses them as well.
func connectionSpecific(r *http.Request) error {
	if r.ProtoMajor < 2 {
		return nil
	}
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Http2-Settings"} {
		if r.Header[name] != nil {
			return errors.New("the field " + name + " has no meaning in HTTP/2")
		}
	}
	if te := r.Header["Te"]; te != nil && (len(te) != 1 || te[0] != "trailers") {
		return errors.New("the field TE of HTTP/2 says trailers, or is absent")
	}
	return nil
}
