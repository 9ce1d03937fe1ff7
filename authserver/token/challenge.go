package token

import (
	"strings"

	"portcullis/services/problem"
)

// BearerChallenge returns the value of a WWW-Authenticate field (RFC 6750 3).
// An empty code or scope is left out; scope is a space separated list.
func BearerChallenge(realm, code, scope string) string {
	var b strings.Builder
	b.WriteString("Bearer")
	sep := " "
	for _, p := range [...]struct{ name, value string }{{"realm", realm}, {"error", code}, {"scope", scope}} {
		if p.value == "" {
			continue
		}
		b.WriteString(sep)
		b.WriteString(p.name)
		b.WriteByte('=')
		quote(&b, p.value)
		sep = ", "
	}
	return b.String()
}

// quote writes an RFC 9110 quoted-string. Bytes that such a string cannot hold
// are dropped: a line break in a realm must not begin a new header field.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

// Challenge adds the WWW-Authenticate field that belongs to p and returns p.
// The field names realm and, where scopes were lacking, the scopes needed. A
// request without any token gets no error code, as RFC 6750 3.1 asks. Problems
// that a token cannot mend are left alone.
func Challenge(p *problem.Problem, realm string, scopes ...string) *problem.Problem {
	switch p.Code {
	case problem.MissingToken:
		return p.With("WWW-Authenticate", BearerChallenge(realm, "", ""))
	case problem.InvalidToken:
		return p.With("WWW-Authenticate", BearerChallenge(realm, "invalid_token", ""))
	case problem.InsufficientScope:
		return p.With("WWW-Authenticate", BearerChallenge(realm, "insufficient_scope", strings.Join(scopes, " ")))
	default:
		return p
	}
}
