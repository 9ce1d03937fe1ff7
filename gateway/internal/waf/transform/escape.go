package transform

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// escapes copies s and gives every place that begins with a backslash to step,
// which appends what the escape stands for and tells how many bytes it took.
func escapes(a *Arena, s string, step func(out []byte, rest string) ([]byte, int)) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	out := a.Room(len(s) + utf8.UTFMax)
	rest := s
	for at >= 0 {
		out = append(out, rest[:at]...)
		var took int
		out, took = step(out, rest[at:])
		rest = rest[at+took:]
		at = strings.IndexByte(rest, '\\')
	}
	return a.changed(s, append(out, rest...))
}

// hexDigits reads up to most hexadecimal digits at the beginning of s.
func hexDigits(s string, most int) (value, n int) {
	for n < len(s) && n < most && isHex(s[n]) {
		value = value<<4 | unhex(s[n])
		n++
	}
	return value, n
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) int {
	if c <= '9' {
		return int(c - '0')
	}
	return int(c|0x20-'a') + 10
}

// octalDigits reads up to most octal digits.
func octalDigits(s string, most int) (value, n int) {
	for n < len(s) && n < most && '0' <= s[n] && s[n] <= '7' {
		value = value<<3 | int(s[n]-'0')
		n++
	}
	return value, n
}

// fullWidth are the forms of ASCII that East Asian text uses; decoders fold
// them to the characters they look like.
func fullWidth(code int) bool { return 0xff01 <= code && code <= 0xff5e }

// lowByte is what decoders of two-byte escapes keep of them.
func lowByte(code int) byte {
	low := byte(code)
	if code>>8 == 0xff && 0 < low && low < 0x5f {
		low += 0x20
	}
	return low
}

// jsDecode decodes the escapes of JavaScript strings.
func jsDecode(a *Arena, s string) string { return escapes(a, s, jsEscape) }

func jsEscape(out []byte, e string) ([]byte, int) {
	if len(e) == 1 {
		return append(out, '\\'), 1
	}
	switch c := e[1]; {
	case c == 'u' && len(e) > 2 && e[2] == '{':
		if code, n := hexDigits(e[3:], 6); n > 0 && 3+n < len(e) && e[3+n] == '}' {
			low := byte(code)
			if fullWidth(code) {
				low += 0x20
			}
			return append(out, low), n + 4
		}
	case c == 'u':
		if code, n := hexDigits(e[2:], 4); n == 4 {
			return append(out, lowByte(code)), 6
		}
	case c == 'x':
		if code, n := hexDigits(e[2:], 2); n == 2 {
			return append(out, byte(code)), 4
		}
	case '0' <= c && c <= '7':
		most := 3
		if c > '3' {
			most = 2 // three would be more than a byte
		}
		code, n := octalDigits(e[1:], most)
		return append(out, byte(code)), 1 + n
	}
	if at := strings.IndexByte("abfnrtv", e[1]); at >= 0 {
		return append(out, "\a\b\f\n\r\t\v"[at]), 2
	}
	return append(out, e[1]), 2
}

// escapeSeqDecode decodes the escapes of ANSI C.
func escapeSeqDecode(a *Arena, s string) string { return escapes(a, s, ansiEscape) }

func ansiEscape(out []byte, e string) ([]byte, int) {
	if len(e) == 1 {
		return append(out, '\\'), 1
	}
	c := e[1]
	if at := strings.IndexByte("abfnrtv", c); at >= 0 {
		return append(out, "\a\b\f\n\r\t\v"[at]), 2
	}
	if c|0x20 == 'x' {
		if code, n := hexDigits(e[2:], 2); n == 2 {
			return append(out, byte(code)), 4
		}
	}
	if code, n := octalDigits(e[1:], 3); n > 0 {
		return append(out, byte(code)), 1 + n
	}
	return append(out, c), 2
}

// cssDecode decodes the escapes of CSS 2.
func cssDecode(a *Arena, s string) string { return escapes(a, s, cssEscape) }

func cssEscape(out []byte, e string) ([]byte, int) {
	if len(e) == 1 {
		return out, 1
	}
	code, n := hexDigits(e[1:], 6)
	switch {
	case n == 0 && e[1] == '\n':
		return out, 2
	case n == 0:
		return append(out, e[1]), 2
	case code == 0:
		code = utf8.RuneError
	case fullWidth(code):
		code -= 0xfee0
	}
	took := 1 + n
	if took < len(e) && strings.IndexByte(" \t\n\r\f\v", e[took]) >= 0 {
		took++ // one white space ends the number and is part of it
	}
	return utf8.AppendRune(out, rune(code)), took
}

// htmlEntityDecode decodes the character references of HTML.
func htmlEntityDecode(_ *Arena, s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	if plain := html.UnescapeString(s); plain != s {
		return plain
	}
	return s
}
