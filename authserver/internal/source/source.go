// Package source tells from where a request comes.
package source

import (
	"net/http"
	"net/netip"
)

// Of is the client's address: its /64 for IPv6, of which one machine has as
// many addresses as it wants. No field of the request is believed. It is the
// zero Addr when it cannot be told: all such requests are one source.
func Of(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() || addr.IsLoopback() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}
