package match

import "errors"

// mostStates bounds an automaton, so that offsets into its table fit.
const mostStates = 1 << 20

// Automaton reads a value once and tells which of many needs it meets, as far
// as literals go. It is an Aho-Corasick automaton with every transition spelt
// out, over classes of bytes; upper and lower case are one class.
type Automaton struct {
	class   [256]uint8
	classes uint32
	// next holds for state and class the offset of the next state's row.
	next []uint32
	// States from the offset reporting on have reports.
	reporting uint32
	reports   [][]report
	// words is the length of a Bits; two of them hold what was found of first
	// and of second sets.
	words int
	// given are the bits of sets that are not there, and so need not be found.
	given []uint64
	folds int // number of the need that stands for foldsWords
}

// report says that bits of a word of the findings are set.
type report struct {
	word int
	bits uint64
}

// Bits has a bit for each need of an automaton.
type Bits []uint64

// Has tells whether bit n is set.
func (b Bits) Has(n int) bool { return b[n/64]>>(n%64)&1 == 1 }

// Set sets bit n.
func (b Bits) Set(n int) { b[n/64] |= 1 << (n % 64) }

// NewAutomaton builds one automaton for all needs.
func NewAutomaton(needs []Need) (*Automaton, error) {
	a := &Automaton{folds: len(needs), words: len(needs)/64 + 1}
	a.given = make([]uint64, 2*a.words)
	t := new(trie)
	for n, need := range needs {
		if len(need.Sets) > mostSets {
			return nil, errors.New("a need has too many sets of literals")
		}
		for half := range mostSets {
			if half >= len(need.Sets) {
				Bits(a.given[half*a.words:]).Set(n)
				continue
			}
			for _, text := range need.Sets[half] {
				t.add(text, half*a.words+n/64, 1<<(n%64))
			}
		}
	}
	for _, r := range foldsWords {
		t.add(string(r), a.folds/64, 1<<(a.folds%64))
	}
	return a, t.build(a)
}

// NewBits returns room for the answers of Candidates.
func (a *Automaton) NewBits() Bits { return make(Bits, a.words) }

// States is how many states there are.
func (a *Automaton) States() int { return len(a.next) / int(a.classes) }

// Bytes is about how much memory the automaton takes.
func (a *Automaton) Bytes() int { return 4*len(a.next) + 48*len(a.reports) }

// Candidates tells in candidates, which NewBits made, whose literals value has.
// The result is true when value has a character that folds to ASCII: then all
// are candidates. found is room of twice the length of candidates.
func (a *Automaton) Candidates(value string, found, candidates Bits) (all bool) {
	copy(found, a.given)
	next, class, reporting := a.next, &a.class, a.reporting
	state := uint32(0)
	for i := range len(value) {
		state = next[state+uint32(class[value[i]])]
		if state >= reporting {
			for _, r := range a.reports[(state-reporting)/a.classes] {
				found[r.word] |= r.bits
			}
		}
	}
	for w := range a.words {
		candidates[w] = found[w] & found[a.words+w]
	}
	if found.Has(a.folds) {
		for w := range a.words {
			candidates[w] = ^uint64(0)
		}
		return true
	}
	return false
}
