package hotel

import (
	"net/mail"
	"strings"
)

// MaxEmail bounds an address, in bytes (RFC 5321, 4.5.3.1.3).
const MaxEmail = 254

// ValidEmail reports whether mail can be sent to an address as it is: no name, no
// quotes, no comment and no second line, so that it never becomes another header
// or recipient. ASCII alone, which every mail server takes.
func ValidEmail(address string) bool {
	if len(address) > MaxEmail || strings.ContainsAny(address, `"\,;:<>()[] `) ||
		strings.IndexFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return false
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return false
	}
	_, domain, _ := strings.Cut(address, "@")
	return !strings.ContainsAny(domain, "@_") && !strings.HasPrefix(domain, "-") && !strings.HasSuffix(domain, "-")
}
