package match

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// mostClasses is how many classes of runes fit a byte, the end of the text
// being one more.
const mostClasses = 250

// classes divide the runes into ranges that no instruction of a program tells
// apart.
type classes struct {
	// firsts are the first runes of the ranges; the first is 0.
	firsts []rune
	// ascii is the class of each byte that is a rune.
	ascii [utf8.RuneSelf]uint8
}

// classesOf returns the classes of a program; ok is false when there are too
// many.
func classesOf(prog *syntax.Prog) (c classes, ok bool) {
	cut := []rune{0}
	between := func(first, last rune) { cut = append(cut, first, last+1) }
	// Assertions look at line ends and at word characters.
	between('\n', '\n')
	between('0', '9')
	between('A', 'Z')
	between('_', '_')
	between('a', 'z')
	for _, in := range prog.Inst {
		if in.Op != syntax.InstRune && in.Op != syntax.InstRune1 {
			continue // the others tell only the line end apart
		}
		if len(in.Rune) == 0 {
			continue // a class of nothing
		}
		if len(in.Rune) > 1 {
			for n := 0; n < len(in.Rune); n += 2 {
				between(in.Rune[n], in.Rune[n+1])
			}
			continue
		}
		between(in.Rune[0], in.Rune[0])
		for r := unicode.SimpleFold(in.Rune[0]); r != in.Rune[0]; r = unicode.SimpleFold(r) {
			between(r, r)
		}
	}
	slices.Sort(cut)
	cut = slices.Compact(cut)
	if cut[len(cut)-1] > unicode.MaxRune {
		cut = cut[:len(cut)-1]
	}
	if len(cut) > mostClasses {
		return c, false
	}
	c.firsts = cut
	for r := range c.ascii {
		c.ascii[r] = uint8(c.find(rune(r)))
	}
	return c, true
}

// find returns the class of a rune.
func (c *classes) find(r rune) int {
	n, exact := slices.BinarySearch(c.firsts, r)
	if exact {
		return n
	}
	return n - 1
}
