package limit

import (
	"hash/maphash"
	"net/netip"

	"portcullis/authserver/token"
)

// Caller is whose request is counted.
type Caller struct {
	Source    netip.Addr
	Principal *token.Principal // nil before, or without, authentication
	Route     string
}

// identity is what a key is made of; fields that do not matter are zero.
type identity struct {
	by           Key
	source       [16]byte
	issuer, name string
}

// digest names the caller for a limit that counts by by. A caller without a
// principal is counted by source where a principal was to be counted: leaving
// authentication out of a route must not leave out its limits.
func (e *Engine) digest(by Key, c Caller) digest {
	if c.Principal == nil && (by == Principal || by == Client) {
		by = Source
	}
	id := identity{by: by}
	switch by {
	case Principal:
		id.issuer, id.name = c.Principal.Issuer, c.Principal.Subject
	case Client:
		id.issuer, id.name = c.Principal.Issuer, c.Principal.Client
	case RouteKey:
		id.name = c.Route
	default:
		id.source = network(c.Source)
	}
	return digest{maphash.Comparable(e.seeds[0], id), maphash.Comparable(e.seeds[1], id)}
}

// network is the address, or for IPv6 its /64, which is the least a single
// customer is given. An IPv4 address is the same however it is written.
func network(a netip.Addr) [16]byte {
	b := a.As16()
	if a.Is6() && !a.Is4In6() {
		clear(b[8:])
	}
	return b
}
