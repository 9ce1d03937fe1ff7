package edge

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"portcullis/gateway/internal/pipeline"
)

// maxPath bounds the path in bytes: longer ones serve no API and cost every
// stage that reads them.
const maxPath = 4096

// errSlash is why a route that takes no escaped slashes refuses one.
var errSlash = errors.New("the path holds an escaped slash")

// canonicalPath returns the one spelling of a request path that router, stages,
// events and upstream all use: characters that may stand as they are decoded
// once, the hex of every remaining escape in upper case. Backends decode the
// sub-delimiters too: were /admin%3Apurge not /admin:purge, it would pass by the
// rules of /* and be served as the other. A path that a backend could read in
// another way than we do is refused, never repaired: Envoy, Traefik and others
// were bypassed by each of these spellings (CVE-2019-9901, CVE-2021-29492,
// CVE-2025-66490).
//
// It tells whether there is an escaped slash, for routes that take none: that
// stays what it was, %2F. Decoded it must not make the path another one: what is
// left of it and right of it are names.
func canonicalPath(raw string) (canonical string, slash bool, err error) {
	if len(raw) > maxPath {
		return "", false, errors.New("the path is longer than 4096 bytes")
	}
	if raw == "" || raw[0] != '/' {
		return "", false, errors.New("the path does not begin with a slash")
	}
	escaped := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '%':
			escaped = true
		case c == '\\':
			return "", false, errors.New("the path holds a backslash")
		case c == ';':
			return "", false, errors.New("the path holds a path parameter")
		case !pathChar(c):
			return "", false, errors.New("the path holds a character that must be escaped")
		}
	}
	if !escaped {
		return raw, false, checkSegments(raw)
	}
	return decodeOnce(raw)
}

// checkSegments refuses what decoders collapse or resolve: empty segments and
// dot segments. It looks at the decoded path, so %2e%2e is seen as "..".
func checkSegments(path string) error {
	for i := 0; i+1 < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		rest := path[i+1:]
		if rest[0] == '/' {
			return errors.New("the path holds an empty segment")
		}
		if rest[0] == '.' {
			segment, _, _ := strings.Cut(rest, "/")
			if segment == "." || segment == ".." {
				return errors.New("the path holds a dot segment")
			}
		}
	}
	return nil
}

// decodeOnce decodes escapes that need not be and normalises the others. Escapes
// of characters with a meaning of their own are refused, except for the slash, of
// which it tells; and so is what does not decode to UTF-8: an overlong encoding of
// "/" or "." is read as that character by lenient decoders.
func decodeOnce(raw string) (path string, slash bool, err error) {
	out := make([]byte, 0, len(raw))
	plain := make([]byte, 0, len(raw)) // fully decoded, to check its UTF-8 and its spaces
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			out, plain = append(out, raw[i]), append(plain, raw[i])
			continue
		}
		if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
			return "", false, errors.New("the path holds a broken escape")
		}
		c := fromHex(raw[i+1])<<4 | fromHex(raw[i+2])
		i += 2
		switch {
		case c == '\\':
			return "", false, errors.New("the path holds an escaped backslash")
		case c == '%':
			return "", false, errors.New("the path is escaped twice")
		case c == ';' || c == '?' || c == '#':
			return "", false, errors.New("the path holds an escaped delimiter")
		case c < 0x20 || c == 0x7f:
			return "", false, errors.New("the path holds an escaped control character")
		case c == '/':
			slash = true
			out = append(out, "%2F"...)
		case pathChar(c): // "%" is refused above
			out = append(out, c)
		default:
			const digits = "0123456789ABCDEF"
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
		plain = append(plain, c)
	}
	if !utf8.Valid(plain) {
		return "", false, errors.New("the path is not UTF-8 once decoded")
	}
	// Some backends trim segments: "/admin%20" would be "/admin" to them.
	for i, c := range plain {
		if c == ' ' && (plain[i-1] == '/' || i+1 == len(plain) || plain[i+1] == '/') {
			return "", false, errors.New("a path segment begins or ends with a space")
		}
	}
	if err := checkSegments(string(plain)); err != nil {
		return "", false, err
	}
	if bytes.HasSuffix(out, []byte("%2F")) {
		return "", false, errors.New("the path ends with an escaped slash")
	}
	return string(out), slash, nil
}

// pathChar is RFC 3986 pchar, "/" and "%", without ";".
func pathChar(c byte) bool {
	if pipeline.Unreserved(c) {
		return true
	}
	switch c {
	case '/', '%', '!', '$', '&', '\'', '(', ')', '*', '+', ',', '=', ':', '@':
		return true
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
