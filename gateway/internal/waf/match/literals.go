package match

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// Need is what every value has that a pattern matches.
type Need struct {
	// Sets hold literals, in lower case as far as they are ASCII; of each set
	// one must occur. At most mostSets, the rarest first.
	Sets [][]string
	// Masks must each have a bit in common with the value's.
	Masks []Mask
}

const (
	mostSets, mostMasks = 2, 4
	// mostProduct bounds how many texts are spelt out where parts follow each
	// other, mostUnion where they are alternatives.
	mostProduct, mostUnion = 160, 600
	// longestLiteral is where literals are cut: their beginning is needed too,
	// and the automaton stays small.
	longestLiteral = 10
	// widestClass is how many characters of a class are spelt out.
	widestClass = 45
)

// known is what a part of a pattern says about the text it matches.
type known struct {
	// whole lists all the texts there can be; nil when they are not spelt out.
	whole []string
	// within are any-of sets; a member of each occurs in the text.
	within [][]string
}

// extractor reads literals out of a syntax tree. Patterns match runes, or bytes
// when bytewise is set.
type extractor struct{ bytewise bool }

// need is what a simplified tree as a whole needs.
func (x extractor) need(re *syntax.Regexp) Need {
	k := x.read(re)
	sets := k.within
	if k.whole != nil {
		sets = append(sets, k.whole)
	}
	sets = slices.DeleteFunc(slices.Clone(sets), useless)
	slices.SortStableFunc(sets, byFrequency)
	var n Need
	for _, set := range sets {
		// Letters are in nearly every value, and in more spellings than one.
		if m := rarestBytes(set); len(n.Masks) < mostMasks && m&(Lower|Digit) == 0 {
			n.Masks = append(n.Masks, m)
		}
		if len(n.Sets) < mostSets && worthScanning(set) {
			n.Sets = append(n.Sets, shortened(set))
		}
	}
	return n
}

func (x extractor) read(re *syntax.Regexp) known {
	switch re.Op {
	case syntax.OpLiteral:
		return x.literal(re)
	case syntax.OpCharClass:
		return x.class(re)
	case syntax.OpCapture:
		return x.read(re.Sub[0])
	case syntax.OpPlus:
		k := x.read(re.Sub[0])
		return known{within: k.sets()}
	case syntax.OpQuest:
		if k := x.read(re.Sub[0]); k.whole != nil && len(k.whole) < mostProduct {
			return known{whole: distinct(append([]string{""}, k.whole...))}
		}
		return known{}
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return known{whole: []string{""}}
	case syntax.OpConcat:
		return x.concat(re.Sub)
	case syntax.OpAlternate:
		return x.alternate(re.Sub)
	}
	return known{} // a star, any character, or what nobody thought of
}

// literal spells out a text in lower case. A character that matches other bytes
// than its own, by folding outside ASCII or because broken UTF-8 is read as it,
// breaks the text in two.
func (x extractor) literal(re *syntax.Regexp) known {
	var piece []byte
	var pieces [][]string
	broken := false
	cut := func() {
		if len(piece) > 0 {
			pieces = append(pieces, []string{string(piece)})
			piece = nil
		}
	}
	for _, r := range re.Rune {
		switch {
		case r < utf8.RuneSelf:
			piece = append(piece, lower(byte(r)))
		case x.bytewise && r < 256 && re.Flags&syntax.FoldCase == 0:
			piece = append(piece, byte(r))
		case !x.bytewise && re.Flags&syntax.FoldCase == 0 && r != utf8.RuneError:
			piece = utf8.AppendRune(piece, r)
		default:
			broken = true
			cut()
		}
	}
	if !broken {
		return known{whole: []string{string(piece)}}
	}
	cut()
	return known{within: pieces}
}

// class spells out a small class of ASCII characters. The characters outside
// ASCII that fold to s and k do not count: a value with one of them is a
// candidate for every pattern (see foldsWords).
func (x extractor) class(re *syntax.Regexp) known {
	var all []string
	for n := 0; n < len(re.Rune); n += 2 {
		for r := re.Rune[n]; r <= re.Rune[n+1]; r++ {
			switch {
			case !x.bytewise && foldsToASCII(r):
				continue
			case r >= utf8.RuneSelf && !(x.bytewise && r < 256), len(all) > widestClass:
				return known{}
			case r < utf8.RuneSelf:
				r = rune(lower(byte(r)))
			}
			all = append(all, string([]byte{byte(r)}))
		}
	}
	if len(all) == 0 {
		return known{}
	}
	return known{whole: distinct(all)}
}

// concat joins what is spelt out side by side, as long as it is not too much.
func (x extractor) concat(parts []*syntax.Regexp) known {
	var k known
	joined, all := []string{""}, true
	for _, part := range parts {
		p := x.read(part)
		if p.whole != nil && len(p.whole)*len(joined) <= mostProduct {
			joined = product(joined, p.whole)
			continue
		}
		all = false
		k.within = append(append(k.within, joined), p.within...)
		if joined = []string{""}; p.whole != nil {
			joined = p.whole
		}
	}
	if all {
		return known{whole: joined}
	}
	k.within = slices.DeleteFunc(append(k.within, joined), useless)
	return k
}

// alternate unites the sets of all branches: the rarest of each, then the next
// rarest of each.
func (x extractor) alternate(branches []*syntax.Regexp) known {
	whole, spelt := []string{}, true
	sets := make([][][]string, len(branches))
	for n, branch := range branches {
		k := x.read(branch)
		if spelt = spelt && k.whole != nil && len(whole)+len(k.whole) <= mostUnion; spelt {
			whole = append(whole, k.whole...)
		}
		sets[n] = slices.DeleteFunc(k.sets(), useless)
		slices.SortStableFunc(sets[n], byFrequency)
	}
	if spelt {
		return known{whole: distinct(whole)}
	}
	var k known
	for rank := range mostMasks {
		var union []string
		for _, of := range sets {
			if len(of) == 0 {
				return k
			}
			union = append(union, of[min(rank, len(of)-1)]...)
		}
		if union = distinct(union); !useless(union) {
			k.within = append(k.within, union)
		}
	}
	return k
}

// sets are the any-of sets that k stands for.
func (k known) sets() [][]string {
	sets := slices.Clone(k.within)
	if k.whole != nil {
		sets = append(sets, k.whole)
	}
	return sets
}

func product(left, right []string) []string {
	joined := make([]string, 0, len(left)*len(right))
	for _, l := range left {
		for _, r := range right {
			joined = append(joined, l+r)
		}
	}
	return distinct(joined)
}

func distinct(texts []string) []string {
	seen := make(map[string]bool, len(texts))
	return slices.DeleteFunc(texts, func(s string) bool {
		if seen[s] {
			return true
		}
		seen[s] = true
		return false
	})
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}
