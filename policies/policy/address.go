package policy

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// host checks a served name. Names are compared as they stand, without the
// port, hence one spelling only.
func (v *validator) host(h Value[string]) {
	wrong := func(why, hint string) {
		v.report(h.Pos, CodeAddress, fmt.Sprintf("%q is not a host that can be served", h.V), why, hint)
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(h.V, "["), "]")
	if a, err := netip.ParseAddr(bare); err == nil {
		if a.Zone() != "" || a.String() != h.V {
			wrong("", "write an address as 127.0.0.1 or \"::1\", without brackets")
		}
		return
	}
	switch {
	case strings.Contains(h.V, "*"):
		wrong("no wildcards", "name every host: a wildcard would serve names nobody has thought of")
	case strings.Contains(h.V, ":"):
		wrong("no scheme and no port", "write the name alone")
	case !isHostname(h.V):
		wrong("", "write a name in lower case, such as api.hotel.test")
	}
}

// isHostname reports whether s is a DNS name in lower case (RFC 1123 section 2.1).
func isHostname(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !isLower(label[i]) && !isDigit(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

// network checks a network; everyone says what is wrong with one of all
// addresses.
func (v *validator) network(n Value[string], everyone, hint string) {
	prefix, err := netip.ParsePrefix(n.V)
	switch {
	case err != nil:
		v.report(n.Pos, CodeAddress, fmt.Sprintf("%q is not a network", n.V), "", "write 10.0.0.0/8, or 192.0.2.7/32 for one address")
	case prefix.Addr().Is4In6():
		v.report(n.Pos, CodeAddress, fmt.Sprintf("%q is a network of IPv4 written as IPv6", n.V), "no address would be in it", "write it as IPv4")
	case prefix.Bits() == 0:
		v.report(n.Pos, CodeAddress, n.V+" "+everyone, "", hint)
	case prefix.Masked() != prefix:
		v.report(n.Pos, CodeAddress, fmt.Sprintf("%q names an address within a network", n.V), fmt.Sprintf("did you mean %q?", prefix.Masked()), "")
	}
}

// origin checks a URL that may have a path only when wherePath says so, and
// returns it when it can be used.
func (v *validator) origin(at Value[string], wherePath bool) (*url.URL, bool) {
	wrong := func(why string) (*url.URL, bool) {
		v.report(at.Pos, CodeAddress, fmt.Sprintf("%q is not an address that can be used here", withoutUser(at.V)), why, "write https://name:port")
		return nil, false
	}
	u, err := url.Parse(at.V)
	switch {
	case err != nil:
		return wrong("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("the scheme must be https or http")
	case u.User != nil:
		return wrong("a user or password does not belong in a policy")
	case u.Hostname() == "" || strings.ContainsAny(u.Host, " \t"):
		return wrong("there is no host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(at.V, "#"):
		return wrong("no query and no fragment")
	case !wherePath && u.Path != "":
		return wrong("scheme, host and port only: the request brings the path")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return wrong("the port must be from 1 to 65535")
		}
	}
	return u, true
}

// withoutUser hides what stands before an @: the value may come from the
// environment, and mistakes are logged.
func withoutUser(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return "…" + address[at:]
	}
	return address
}

// secret reports plain http to another machine, where a token could be read.
func (v *validator) secret(at Value[string], u *url.URL, what string) {
	if u.Scheme == "https" || isLoopback(u.Hostname()) {
		return
	}
	v.report(at.Pos, CodeUnprotected, fmt.Sprintf("%s over plain http to %q", what, u.Hostname()), "", "write https; http is for this machine alone")
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
