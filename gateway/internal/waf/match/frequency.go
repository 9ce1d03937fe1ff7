package match

import (
	"cmp"
	"math"
	"strings"
)

// frequency is a rough share of each byte in what ordinary requests carry.
var frequency = frequencyTable()

func frequencyTable() (t [256]float64) {
	for c := range t {
		switch {
		case c == ' ':
			t[c] = .08
		case strings.IndexByte("etaoinsr", byte(c)) >= 0:
			t[c] = .06
		case 'a' <= c && c <= 'z':
			t[c] = .02
		case '0' <= c && c <= '9':
			t[c] = .03
		case strings.IndexByte("._-/:,", byte(c)) >= 0:
			t[c] = .012
		case strings.IndexByte("\"'=&?%+\n(){}[]", byte(c)) >= 0:
			t[c] = .004
		default:
			t[c] = .0015
		}
	}
	return t
}

// frequencyOf estimates how often one of the set begins at a place; infinite
// when it says nothing, or too much.
func frequencyOf(set []string) float64 {
	if len(set) == 0 || len(set) > mostUnion {
		return math.Inf(1)
	}
	total := 0.0
	for _, text := range set {
		if text == "" {
			return math.Inf(1)
		}
		share := 1.0
		for i := range min(len(text), longestLiteral) {
			share *= frequency[text[i]]
		}
		total += share
	}
	return total
}

func useless(set []string) bool { return math.IsInf(frequencyOf(set), 1) }

func byFrequency(a, b []string) int { return cmp.Compare(frequencyOf(a), frequencyOf(b)) }

// worthScanning tells whether a set is for the automaton: single bytes are not,
// masks have them, unless they are letters and digits, which share a bit.
func worthScanning(set []string) bool {
	for _, text := range set {
		if len(text) < 2 {
			return frequencyOf(set) < .05 && len(set) < 40 && rarestBytes(set)&(Lower|Digit) != 0
		}
	}
	return true
}

// rarestBytes is a mask of the rarest byte of each text of a set. A value in
// which one of the set occurs has a bit of it, unless that byte is a letter: a
// letter may stand there in upper case, or as a character that folds to it.
func rarestBytes(set []string) Mask {
	var m Mask
	for _, text := range set {
		rarest := text[0]
		for i := range len(text) {
			if frequency[text[i]] < frequency[rarest] {
				rarest = text[i]
			}
		}
		m |= maskOf[rarest]
	}
	return m
}

// shortened cuts long literals to their beginning.
func shortened(set []string) []string {
	short := make([]string, len(set))
	for n, text := range set {
		short[n] = text[:min(len(text), longestLiteral)]
	}
	return distinct(short)
}
