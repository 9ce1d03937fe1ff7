package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// clientCertificates checks that each host is asked one thing. A client says at
// the handshake for which name it comes, and never for which address: what is
// asked of an address alone would be asked of nobody.
func (v *validator) clientCertificates(g *Gateway) {
	var everywhere *ClientCertificates
	first := map[string]Pos{}
	for _, c := range g.ClientCertificates {
		if len(c.Hosts) == 0 {
			if everywhere != nil {
				v.report(c.Pos, CodeConflict, "two entries ask a certificate of clients of every host", "the other is at "+everywhere.Pos.String(), "name hosts in one of them, or leave it out")
			}
			everywhere = c
		}
		for _, h := range c.Hosts {
			if _, err := netip.ParseAddr(h.V); err == nil {
				v.report(h.Pos, CodeAddress, fmt.Sprintf("no client can be asked for a certificate because of the address %q", h.V),
					"a client names no address at the handshake (RFC 6066 section 3)", "name the host, or leave hosts out to ask every client")
				continue
			}
			if !slices.Contains(v.hosts, h.V) && !v.doc.partial {
				v.report(h.Pos, CodeUnknownName, fmt.Sprintf("the host %q is not served", h.V), didYouMean(h.V, v.hosts), "name one that stands under hosts:")
			}
			if at, twice := first[h.V]; twice {
				v.report(h.Pos, CodeConflict, fmt.Sprintf("two entries ask a certificate of clients of %q", h.V), "the other is at "+at.String(), "leave one of them out")
				continue
			}
			first[h.V] = h.Pos
		}
	}
}
