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

// fromOutside names the request fields that are not the client's to send on, by
// the one table of them. The edge removes most of them too; a credential or an
// identity is worth two locks.
func fromOutside(name string) bool {
	return pipeline.OwnerOf(name)&(pipeline.Written|pipeline.Claimed) != 0
}

// vouched names those that no policy sets or removes: whoever reads them must
// know who says so.
func vouched(name string) bool {
	return pipeline.OwnerOf(name)&(pipeline.Written|pipeline.Ours) != 0
}

// repeats names the fields by which the transport takes a request for one that
// may be sent twice.
func repeats(name string) bool { return name == "Idempotency-Key" || name == "X-Idempotency-Key" }

func identity(name string) bool { return strings.HasPrefix(name, "Portcullis-") }

// hidden names the answer's fields that tell outsiders what is inside, or that
// the edge has set itself.
func hidden(name string) bool {
	switch name {
	case "Server", "X-Powered-By", "X-Request-Id", "Via", "Forwarded":
		return true
	}
	return identity(name) || len(name) > 2 && name[0] == 'X' && tellsInside(name)
}

// tellsInside names the fields by which servers and proxies say what they are,
// where they are, and what they would have a proxy of theirs do.
func tellsInside(name string) bool {
	switch name {
	case "X-Aspnet-Version", "X-Aspnetmvc-Version", "X-Runtime", "X-Generator", "X-Varnish", "X-Served-By", "X-Server", "X-Host", "X-Hostname", "X-Real-Ip", "X-Sendfile":
		return true
	}
	for _, prefix := range [...]string{"X-Backend", "X-Upstream", "X-Envoy-", "X-Accel-", "X-Forwarded-", "X-Powered-By-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
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
