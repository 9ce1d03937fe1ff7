package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"portcullis/gateway/internal/pipeline"
)

// oneHost refuses a Host field beside an :authority that names somebody else
// (RFC 9113 section 8.3.1): who reads the one and who reads the other would
// serve different sites. Only HTTP/2 can say it twice; net/http settles it in
// HTTP/1.1.
func oneHost(r *http.Request) error {
	for _, host := range r.Header["Host"] {
		if host != r.Host {
			return errors.New("the Host field is not the :authority")
		}
	}
	delete(r.Header, "Host") // as in HTTP/1.1, it stands in r.Host
	return nil
}

// directed refuses a request that came by the connection of another host. A
// client may use one connection for several names of a certificate, and opens
// another one after 421 (RFC 9110 section 15.5.20, RFC 9113 section 9.1.1); but
// what was asked of the client when the connection was opened was asked for the
// name it said then. A client that named none, or an address, which is no server
// name (RFC 6066 section 3), contradicts nothing; it has to have proved all the
// same what host asks for.
func (h *Handler) directed(r *http.Request, host string, s *pipeline.Snapshot) error {
	if h.described {
		return nil
	}
	if r.TLS != nil && r.TLS.ServerName != "" {
		if _, err := netip.ParseAddr(r.TLS.ServerName); err != nil {
			if name, ok := canonicalHost(r.TLS.ServerName); !ok || name != host {
				return fmt.Errorf("host %q was asked on a connection for %q", clip(host, 64), clip(r.TLS.ServerName, 64))
			}
		}
	}
	if auth := s.ClientAuth(host); auth != nil && !auth.Proved(r.TLS) {
		return fmt.Errorf("host %q asks for a client certificate that this connection has not shown", clip(host, 64))
	}
	return nil
}
