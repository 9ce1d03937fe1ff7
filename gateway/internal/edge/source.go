package edge

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
)

// source tells who the client is: the peer of the connection, unless that is a
// trusted proxy; then X-Forwarded-For is walked from the right to the first
// address that is not trusted. An empty list trusts nobody. Anything that does
// not parse is refused: a client must not choose its own address.
func source(r *http.Request, trusted []netip.Prefix) (netip.Addr, error) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, errors.New("the connection has no client address")
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !contains(trusted, addr) {
		return addr, nil
	}
	fields := r.Header["X-Forwarded-For"]
	for i := len(fields) - 1; i >= 0; i-- {
		for list := fields[i]; list != ""; {
			var last string
			if cut := strings.LastIndexByte(list, ','); cut >= 0 {
				list, last = list[:cut], list[cut+1:]
			} else {
				list, last = "", list
			}
			hop, err := netip.ParseAddr(strings.TrimSpace(last))
			if err != nil {
				return netip.Addr{}, errors.New("a trusted proxy sent an X-Forwarded-For that holds no address")
			}
			if addr = hop.Unmap().WithZone(""); !contains(trusted, addr) {
				return addr, nil
			}
		}
	}
	return addr, nil
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// canonicalHost lower-cases a Host, drops its port and a final dot, and refuses
// what is not a host name or address.
func canonicalHost(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || !isPort(host[end+1:]) {
			return "", false
		}
		addr, err := netip.ParseAddr(host[1:end])
		if err != nil || addr.Zone() != "" {
			return "", false
		}
		return addr.String(), true
	}
	name, port, has := strings.Cut(host, ":")
	if has && !isPort(":"+port) {
		return "", false
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return "", false
	}
	lower := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			lower = false
		} else if c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	if !lower {
		name = strings.ToLower(name)
	}
	return name, true
}

// isPort accepts "", and a colon with one to five digits: which port is asked
// for decides nothing.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) == 1 || len(s) > 6 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
