package collect

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string and decodes its escapes. Most have none.
func (w *Walker) string() (string, bool) {
	if !w.take('"') {
		return "", false
	}
	begin := w.at
	for w.at < len(w.text) {
		switch c := w.text[w.at]; {
		case c == '"':
			w.at++
			return w.text[begin : w.at-1], true
		case c == '\\':
			return w.escaped(begin)
		case c < ' ':
			return "", false
		}
		w.at++
	}
	return "", false
}

// escaped goes on with a string that began at begin and has an escape at hand.
func (w *Walker) escaped(begin int) (string, bool) {
	out := append(w.arena.Room(len(w.text)-begin), w.text[begin:w.at]...)
	for w.at < len(w.text) {
		c := w.text[w.at]
		w.at++
		switch {
		case c == '"':
			return w.arena.Keep(out), true
		case c < ' ':
			return "", false
		case c != '\\':
			out = append(out, c)
		default:
			r, ok := w.escape()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", false
}

// escape reads what follows a backslash. Half of a pair of surrogates becomes
// U+FFFD; so does a pair that is none, whole.
func (w *Walker) escape() (rune, bool) {
	c := w.next()
	w.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
	default:
		return 0, false
	}
	r, ok := w.hex()
	if !ok || !utf16.IsSurrogate(r) || len(w.text)-w.at < 6 || w.text[w.at:w.at+2] != `\u` {
		return r, ok
	}
	w.at += 2
	low, ok := w.hex()
	return utf16.DecodeRune(r, low), ok
}

func (w *Walker) hex() (rune, bool) {
	if len(w.text)-w.at < 4 {
		return 0, false
	}
	code, err := strconv.ParseUint(w.text[w.at:w.at+4], 16, 16)
	w.at += 4
	return rune(code), err == nil
}
