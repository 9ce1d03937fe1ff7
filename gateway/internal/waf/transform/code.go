package transform

import (
	"crypto/md5"  // the rule language has it; nothing relies on it
	"crypto/sha1" // the same
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

func lowercase(a *Arena, s string) string { return mapCase(a, s, 'A', 'Z', strings.ToLower) }
func uppercase(a *Arena, s string) string { return mapCase(a, s, 'a', 'z', strings.ToUpper) }

// mapCase turns the letters between from and to, and leaves text that is not
// ASCII to all, which also rewrites bytes that are no UTF-8, as the engine does.
func mapCase(a *Arena, s string, from, to byte, all func(string) string) string {
	out := a.Room(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			if mapped := all(s); mapped != s {
				return mapped
			}
			return s
		}
		if from <= c && c <= to {
			c ^= 0x20
		}
		out = append(out, c)
	}
	return a.changed(s, out)
}

func removeNulls(_ *Arena, s string) string  { return strings.ReplaceAll(s, "\x00", "") }
func replaceNulls(_ *Arena, s string) string { return strings.ReplaceAll(s, "\x00", " ") }

func length(_ *Arena, s string) string { return strconv.Itoa(len(s)) }

func hexEncode(_ *Arena, s string) string { return hex.EncodeToString([]byte(s)) }

func sha1Sum(_ *Arena, s string) string {
	sum := sha1.Sum([]byte(s))
	return string(sum[:])
}

func md5Sum(_ *Arena, s string) string {
	sum := md5.Sum([]byte(s))
	return string(sum[:])
}

// base64Decode decodes up to the first byte that is not of the alphabet; line
// ends do not count.
func base64Decode(a *Arena, s string) string {
	out := a.Room(len(s)/4*3 + 3)
	bits, digits := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] == '\r' || s[i] == '\n' {
			continue
		}
		digit := base64Digit(s[i])
		if digit < 0 {
			break
		}
		bits = bits<<6 | digit
		if digits++; digits == 4 {
			out = append(out, byte(bits>>16), byte(bits>>8), byte(bits))
			bits, digits = 0, 0
		}
	}
	switch digits {
	case 2:
		out = append(out, byte(bits>>4))
	case 3:
		out = append(out, byte(bits>>10), byte(bits>>2))
	}
	return a.Keep(out)
}

func base64Digit(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
