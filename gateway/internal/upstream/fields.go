package upstream

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/pipeline"
)

// fromOutside names the request fields that are not the client's to say, or
// that are written anew. The edge removes them too; a credential or an identity
// is worth two locks.
func fromOutside(name string) bool {
	switch name {
	case "Authorization", "Forwarded", "Via", "X-Real-Ip", "X-Request-Id", "Traceparent", "Tracestate",
		"Content-Length", "Expect", "Host":
		return true
	}
	if repeats(name) {
		return true
	}
	// X_User is read as X-User by CGI-like servers (CVE-2025-64484).
	return strings.HasPrefix(name, "X-Forwarded-") || identity(name) || strings.IndexByte(name, '_') >= 0
}

// repeats names the fields by which the transport takes a request for one that
// may be sent twice.
func repeats(name string) bool { return name == "Idempotency-Key" || name == "X-Idempotency-Key" }

func identity(name string) bool { return strings.HasPrefix(name, "Portcullis-") }

// hidden names the answer's fields that tell outsiders what is inside, or that
// the edge has set itself.
func hidden(name string) bool {
	switch name {
	case "Server", "X-Powered-By", "X-Request-Id":
		return true
	}
	return identity(name)
}

// named is the set of fields that Connection lists, in canonical form; nil in
// the usual case.
func named(h http.Header) []string {
	var names []string
	for _, line := range h["Connection"] {
		if line == "keep-alive" || line == "close" {
			continue
		}
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				names = append(names, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
	return names
}

// copyFields copies what an answer may say to the client, or nothing at all. The
// values are shared and not cloned: the transport is done with them.
func copyFields(to, from http.Header) error {
	connection := named(from)
	for name, values := range from {
		switch {
		case pipeline.HopByHop(name) || hidden(name) || slices.Contains(connection, name):
		case !httpguts.ValidHeaderFieldName(name):
			// "Content-Length : 2" would leave the length to whoever guesses.
			for name := range from {
				if !hidden(name) {
					delete(to, name)
				}
			}
			return fmt.Errorf("the upstream's answer has a field named %q", name)
		default:
			to[name] = values
		}
	}
	return nil
}
