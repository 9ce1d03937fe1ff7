package waf

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/corazawaf/coraza/v3/types/variables"

	"portcullis/gateway/internal/pipeline"
)

const (
	// redacted stands for a value of which not even the shape is told.
	redacted = "[redacted]"
	// maxShape bounds the shape of a value, in characters.
	maxShape = 64
	// maxRun is how many of a kind are shown of more that follow each other. It
	// leaves the short words that attacks are made of, and hides how long a
	// secret's parts are.
	maxRun = 4
	// opaqueRun is from how many letters and digits without a break, with at least
	// opaqueDigits digits, a name is taken for a key that stands where a name
	// should.
	opaqueRun, opaqueDigits = 20, 3
)

// shape is what a value looks like without what it says: a for a letter, 9 for a
// digit, x for any other character beyond ASCII, c for a control character, and
// punctuation and spaces as they are.
func shape(value string) string { return shapeOf(value, maxShape) }

func shapeOf(value string, most int) string {
	var b strings.Builder
	last, run, shown := byte(0), 0, 0
	for _, r := range value {
		kind := kindOf(r)
		if kind == last {
			run++
		} else {
			last, run = kind, 1
		}
		if run > maxRun {
			continue
		}
		b.WriteByte(kind)
		if shown++; shown == most {
			break
		}
	}
	return b.String()
}

// leftOut stands at the beginning of a shape for what comes before it; no shape
// has it otherwise.
const leftOut = "…"

// shapeAround is the shape of a value from a little before what a rule found in
// it, which the end of a long text may hold.
func shapeAround(value, found string) string {
	const far, before = 48, 16
	at := strings.Index(value, found)
	if found == "" || at < far {
		return shape(value)
	}
	at -= before
	for !utf8.RuneStart(value[at]) && at > 0 {
		at--
	}
	return leftOut + shapeOf(value[at:], maxShape-1)
}

// foundBy is what a rule says that it found, where it says so in the words of the
// Core Rule Set.
func foundBy(data string) string {
	rest, ok := strings.CutPrefix(data, "Matched Data: ")
	if !ok {
		return ""
	}
	found, _, _ := strings.Cut(rest, " found within ")
	return found
}

func kindOf(r rune) byte {
	switch {
	case r == utf8.RuneError:
		return 'x'
	case unicode.IsLetter(r):
		return 'a'
	case unicode.IsDigit(r):
		return '9'
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsControl(r):
		return 'c'
	case r < utf8.RuneSelf:
		return byte(r)
	}
	return 'x'
}

// shownName is the name of a part of a request as it may be told, in brackets
// when it is not the name itself. hidden says that the value must not be told
// either, not even by its shape.
func shownName(name string) (shown string, hidden bool) {
	switch {
	case len(name) > maxTarget, opaque(name):
		return redacted, true
	case strings.ContainsFunc(name, func(r rune) bool { return !inName(r) }):
		return "[" + shape(name) + "]", false
	}
	return name, false
}

// opaque reports whether a name looks like a key or a token.
func opaque(name string) bool {
	letters, digits := 0, 0
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			letters++
		default:
			letters, digits = 0, 0
		}
		if letters+digits >= opaqueRun && digits >= opaqueDigits {
			return true
		}
	}
	return false
}

// Words that a name has whose value is a secret: anywhere in it, or by
// themselves.
var (
	secretParts = []string{
		"password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "api-key", "api_key", "accesskey", "access-key", "access_key",
		"privatekey", "private-key", "private_key", "session", "authorization", "authentication", "credential", "cookie", "jwt", "bearer", "signature",
		"csrf", "xsrf", "cardnumber", "card-number", "card_number",
	}
	secretWords = []string{"auth", "sid", "otp", "totp", "pin", "cvv", "cvc", "iban", "ssn", "pan", "key", "code", "pass", "assertion", "verifier"}
)

// secret reports whether the values of a part of a request are secrets by what
// they are called.
func secret(v variables.RuleVariable, name string) bool {
	if v == variables.RequestCookies {
		return true
	}
	name = strings.ToLower(name)
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) }) {
		for _, w := range secretWords {
			if word == w {
				return true
			}
		}
	}
	return false
}

// nameless reports whether a parameter of the query or of a form stands without
// a name: then it is a value, and the access event hides it too.
func (s *subject) nameless(name string) bool {
	_, query, _ := strings.Cut(s.Target, "?")
	return bare(query, name) || s.format == formatForm && bare(s.text(), name)
}

func bare(pairs, name string) bool {
	for pair := range strings.SplitSeq(pairs, "&") {
		if !pipeline.ValueAlone(pair) {
			continue
		}
		alone, _, _ := strings.Cut(pair, "=")
		if alone == name {
			return true
		}
		if decoded, err := url.QueryUnescape(alone); err == nil && decoded == name {
			return true
		}
	}
	return false
}
