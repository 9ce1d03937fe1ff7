package transform

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const spaces = " \t\n\r\f\v"

func trim(_ *Arena, s string) string      { return strings.Trim(s, spaces) }
func trimLeft(_ *Arena, s string) string  { return strings.TrimLeft(s, spaces) }
func trimRight(_ *Arena, s string) string { return strings.TrimRight(s, spaces) }

// removeWhitespace drops all of Unicode's white space.
func removeWhitespace(a *Arena, s string) string {
	out := a.Room(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return removeSpaces(a, s)
		}
		if !edge(c) {
			out = append(out, c)
		}
	}
	return a.changed(s, out)
}

// removeSpaces goes by runes; what is no UTF-8 becomes U+FFFD on the way, as in
// the engine.
func removeSpaces(a *Arena, s string) string {
	out := a.Room(len(s) * len("\ufffd"))
	for _, r := range s {
		if !unicode.IsSpace(r) {
			out = utf8.AppendRune(out, r)
		}
	}
	return a.changed(s, out)
}

// compressWhitespace makes one space of each run of white space.
func compressWhitespace(a *Arena, s string) string {
	out := a.Room(len(s))
	inside := false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		// The byte 0xA0 is a space of Latin-1 wherever it begins a character.
		space := s[i] == 0xa0 || r == 0xa0 || r == 0x85 || r < utf8.RuneSelf && edge(byte(r))
		switch {
		case !space:
			out = append(out, s[i:i+n]...)
		case !inside:
			out = append(out, ' ')
		}
		inside = space
		i += n
	}
	return a.changed(s, out)
}

// cmdLine undoes what shells do not mind: quotes, carets, doubled separators,
// letters in upper case.
func cmdLine(a *Arena, s string) string {
	out := a.Room(len(s))
	space := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '"', '\'', '\\', '^':
			continue
		case ' ', ',', ';', '\t', '\r', '\n':
			if !space {
				out = append(out, ' ')
			}
			space = true
			continue
		case '/', '(':
			if space {
				out = out[:len(out)-1]
			}
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out = append(out, c)
		space = false
	}
	return a.changed(s, out)
}
