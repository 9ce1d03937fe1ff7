package accounts

import (
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"portcullis/authserver/internal/form"
)

// maxEmail is the longest address that SMTP carries (RFC 5321 4.5.3.1.3), in
// bytes.
const maxEmail = 254

// NormalizeEmail returns the one spelling of an address, or false for what is
// no plain address: no display name, no quotes, no comment, no line break, so
// that what a person typed can never become another header or recipient. Case
// does not tell people apart, although RFC 5321 lets it: two accounts that
// differ in it would be one person's mistake or another's trick.
func NormalizeEmail(typed string) (string, bool) {
	email := norm.NFC.String(strings.TrimSpace(typed))
	if len(email) > maxEmail || !form.Clean(email) {
		return "", false
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Name != "" || parsed.Address != email {
		return "", false
	}
	local, domain, _ := strings.Cut(email, "@")
	if strings.Contains(domain, "@") || strings.IndexFunc(local, foreign) >= 0 {
		return "", false
	}
	// Punycode: a domain in two scripts is one domain, and shows as what it is.
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" || strings.HasSuffix(domain, ".") {
		return "", false
	}
	// Once more: lower case of a composed letter may be two.
	email = norm.NFC.String(strings.ToLower(local)) + "@" + strings.ToLower(domain)
	return email, len(email) <= maxEmail
}

// foreign reports whether c is not for the part of an address before the @:
// quotes and their like, blanks and what cannot be seen.
func foreign(c rune) bool {
	return strings.ContainsRune(`"\,;:<>()[]@`, c) || unicode.IsSpace(c) || !unicode.IsPrint(c)
}
