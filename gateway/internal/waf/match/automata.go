package match

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"weak"
)

// Automata are the automata in use, by what they look for: policies that differ
// in exclusions or thresholds look for the same literals, and an automaton of the
// Core Rule Set takes megabytes. One that nobody uses any more is given back. It
// is safe for concurrent use; nil shares nothing.
type Automata struct {
	mu   sync.Mutex
	made map[[sha256.Size]byte]weak.Pointer[Automaton]
}

// NewAutomata returns an empty one.
func NewAutomata() *Automata {
	return &Automata{made: map[[sha256.Size]byte]weak.Pointer[Automaton]{}}
}

// Of is the automaton for all needs; see NewAutomaton.
func (s *Automata) Of(needs []Need) (*Automaton, error) {
	if s == nil {
		return NewAutomaton(needs)
	}
	key := keyOf(needs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.made[key].Value(); a != nil {
		return a, nil
	}
	a, err := NewAutomaton(needs)
	if err != nil {
		return nil, err
	}
	for other, p := range s.made {
		if p.Value() == nil {
			delete(s.made, other)
		}
	}
	s.made[key] = weak.Make(a)
	return a, nil
}

// keyOf is a digest of all that an automaton is made from: the sets of each need,
// in their order, with their lengths, so that no two lists are written alike.
func keyOf(needs []Need) [sha256.Size]byte {
	var text []byte
	number := func(n int) { text = binary.AppendUvarint(text, uint64(n)) }
	number(len(needs))
	for _, need := range needs {
		number(len(need.Sets))
		for _, set := range need.Sets {
			number(len(set))
			for _, literal := range set {
				number(len(literal))
				text = append(text, literal...)
			}
		}
	}
	return sha256.Sum256(text)
}
