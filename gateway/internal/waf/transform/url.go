package transform

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// urlDecode decodes a query's escapes; broken ones stay as they are.
func urlDecode(a *Arena, s string) string {
	return unescapeURL(a, s, hexEscape)
}

// unescapeURL copies s, makes spaces of pluses and gives what begins with a
// percent sign to step.
func unescapeURL(a *Arena, s string, step func(out []byte, rest string) ([]byte, int)) string {
	first := strings.IndexAny(s, "%+")
	if first < 0 {
		return s
	}
	out := append(a.Room(len(s)), s[:first]...)
	for i := first; i < len(s); {
		switch s[i] {
		case '+':
			out = append(out, ' ')
			i++
		case '%':
			var took int
			out, took = step(out, s[i:])
			i += took
		default:
			out = append(out, s[i])
			i++
		}
	}
	return a.changed(s, out)
}

// Unescape decodes a part of a query or of a form as the engine does: pluses,
// and the escapes that are whole.
func Unescape(a *Arena, s string) string { return urlDecode(a, s) }

// hexEscape decodes %XX, or takes the percent sign for itself.
func hexEscape(out []byte, rest string) ([]byte, int) {
	if len(rest) > 2 && isHex(rest[1]) && isHex(rest[2]) {
		return append(out, byte(unhex(rest[1])<<4|unhex(rest[2]))), 3
	}
	return append(out, '%'), 1
}

// bestFit is to which byte the engine folds each character of the basic plane.
type bestFit [1 << 16]byte

// urlDecodeUni decodes %XX and the %uXXXX of old browsers and servers.
func (b *bestFit) urlDecodeUni(a *Arena, s string) string {
	return unescapeURL(a, s, func(out []byte, rest string) ([]byte, int) {
		if len(rest) < 2 || rest[1]|0x20 != 'u' {
			return hexEscape(out, rest)
		}
		if code, n := hexDigits(rest[2:], 4); n == 4 {
			return append(out, b[code]), 6
		}
		return append(out, rest[:2]...), 2
	})
}

// utf8ToUnicode writes what is not ASCII as %uXXXX, and bytes that are no UTF-8
// as %ufffd.
func utf8ToUnicode(a *Arena, s string) string {
	const digits = "0123456789abcdef"
	out := a.Room(3 * len(s)) // two bytes become six, three become six, one is invalid and becomes six
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			out = append(out, s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		out = append(out, '%', 'u')
		if r > 0xffff {
			out = strconv.AppendUint(out, uint64(r), 16)
			continue
		}
		for shift := 12; shift >= 0; shift -= 4 {
			out = append(out, digits[r>>shift&15])
		}
	}
	return a.changed(s, out)
}
