package match

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// anything stands for a dot.
const anything = " aZ09'\"<>(/\\\n\xc3\xa9=;\x00"

// generate appends a text that a pattern's tree allows, without regard to its
// assertions.
func generate(re *syntax.Regexp, rnd *rand.Rand, out []byte) []byte {
	if len(out) > 300 {
		return out
	}
	put := func(r rune) {
		if re.Flags&syntax.FoldCase != 0 && rnd.IntN(3) == 0 {
			for range rnd.IntN(3) {
				r = unicode.SimpleFold(r)
			}
		}
		out = utf8.AppendRune(out, r)
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			put(r)
		}
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return out
		}
		n := rnd.IntN(len(re.Rune)/2) * 2
		first, last := re.Rune[n], re.Rune[n+1]
		if last > first+300 && rnd.IntN(8) > 0 {
			last = first + 300
		}
		switch r := first + rnd.Int32N(last-first+1); {
		case r > 126 && r < 256 && rnd.IntN(2) == 0:
			out = append(out, byte(r)) // as a byte, for patterns that match bytes
		default:
			put(r)
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out = append(out, anything[rnd.IntN(len(anything))])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		least, most := 0, 3
		switch re.Op {
		case syntax.OpPlus:
			least = 1
		case syntax.OpQuest:
			most = 1
		case syntax.OpRepeat:
			least, most = re.Min, re.Max
			if most < 0 || most > least+3 {
				most = least + 3
			}
		}
		for range least + rnd.IntN(most-least+1) {
			out = generate(re.Sub[0], rnd, out)
		}
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			out = generate(sub, rnd, out)
		}
	case syntax.OpAlternate:
		out = generate(re.Sub[rnd.IntN(len(re.Sub))], rnd, out)
	}
	return out
}

// specials are bytes and characters that matchers trip over.
var specials = []string{
	"ſ", "\u212a", "İ", "é", "É", "\u2028", "\ufffd", "\xff", "\xc5", "\xbf", "\xe2\x84", "\xed\xa0\x80", "\x00", "\n", "\r\n", "\v", "\t", " ",
	"_", "'", "\"", "`", "<", ">", "/", "\\", ";", "&", "=", "(", ")", "a", "Z", "0", "\u00a0", "😀",
}

// mutate changes a few places.
func mutate(s []byte, rnd *rand.Rand) []byte {
	for range rnd.IntN(4) {
		if len(s) == 0 {
			s = []byte("a")
		}
		at := rnd.IntN(len(s))
		special := specials[rnd.IntN(len(specials))]
		switch rnd.IntN(7) {
		case 0:
			s = append(s[:at:at], append([]byte(special), s[at:]...)...)
		case 1:
			s = append(s[:at:at], append([]byte(special), s[at+1:]...)...)
		case 2:
			s = append(s[:at:at], s[min(len(s), at+1+rnd.IntN(3)):]...)
		case 3:
			s[at] ^= 0x20
		case 4:
			s = s[at:]
		case 5:
			s = []byte(strings.ToUpper(string(s)))
		case 6:
			if folds := map[byte]string{'s': "ſ", 'k': "\u212a"}[s[at]|0x20]; folds != "" {
				s = append(s[:at:at], append([]byte(folds), s[at+1:]...)...)
			}
		}
	}
	return s
}
