package upstream

import (
	"net/http"
	"strings"
)

// relocate takes the endpoint's own address out of where an answer points. It was
// asked by that address, and many servers build a Location from the Host that
// they see: the client would learn a name that is inside, and could not go there.
// Addresses of anybody else pass.
func (x *exchange) relocate(h http.Header) {
	for _, name := range [...]string{"Location", "Content-Location"} {
		if values := h[name]; len(values) == 1 {
			if path, ours := x.within(values[0]); ours {
				h[name] = []string{path}
			}
		}
	}
}

// within gives the path, query and fragment of a URL at the endpoint that
// answered, as the client would ask for it; false for any other.
func (x *exchange) within(location string) (string, bool) {
	scheme, rest, ok := strings.Cut(location, "://")
	switch {
	case ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")):
	case strings.HasPrefix(location, "//"):
		rest = location[2:]
	default:
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if !x.inside(rest[:end]) {
		return "", false
	}
	path := rest[end:]
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	// "//evil.test" is another host to whoever reads it, and to browsers so are
	// "/\evil.test" and, once they have dropped the tab, "/<tab>/evil.test".
	if x.rewrite.StripPrefix == "" && len(path) > 1 && strings.IndexByte("/\\\t", path[1]) >= 0 {
		path = "/." + path
	}
	return x.rewrite.StripPrefix + path, true
}

// inside reports whether host is the endpoint that answered, with or without its
// port.
func (x *exchange) inside(host string) bool {
	endpoint := x.result.Endpoint
	if strings.EqualFold(host, endpoint) {
		return true
	}
	for _, port := range [...]string{":80", ":443"} {
		if strings.EqualFold(host+port, endpoint) || strings.EqualFold(host, endpoint+port) {
			return true
		}
	}
	return false
}
