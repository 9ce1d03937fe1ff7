package policy

import "fmt"

// protocols are what upstreams may be spoken to in besides HTTP/1.1, which is
// what they are spoken to in where a policy says nothing.
func protocols() []string { return []string{"h2", "h2c"} }

// protocol checks that the endpoints can be spoken to in what the policy says.
func (v *validator) protocol(u *Upstream, e Value[string], scheme string) {
	switch {
	case u.Protocol.V == "h2" && scheme == "http":
		v.report(e.Pos, CodeAddress, "an endpoint of plain http cannot agree on h2", "the protocol stands at "+u.Protocol.Pos.String(), "write https://, or protocol: h2c")
	case u.Protocol.V == "h2c" && scheme == "https":
		v.report(e.Pos, CodeAddress, "an endpoint of https is not spoken to in h2c", "the protocol stands at "+u.Protocol.Pos.String(), "write protocol: h2, or http://")
	}
}

// upgraded reports a route whose upgrades its upstream cannot take.
func (v *validator) upgraded(r *Route) {
	for _, u := range v.doc.Upstreams {
		if r.WebSocket.V && r.Upstream.Set && u.Name.V == r.Upstream.V && u.Protocol.Set {
			v.report(r.WebSocket.Pos, CodeNoEffect, fmt.Sprintf("upstream %q is spoken to in %s, which has no upgrade to websocket", u.Name.V, u.Protocol.V),
				"the protocol stands at "+u.Protocol.Pos.String(), "send the route to an upstream without protocol, which is spoken to in HTTP/1.1")
		}
	}
}
