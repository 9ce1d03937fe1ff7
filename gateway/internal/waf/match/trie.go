package match

import (
	"fmt"
	"slices"
)

// trie is an automaton in the making.
type trie struct {
	texts []text
}

type text struct {
	bytes string
	report
}

// add takes a literal. Letters are compared in lower case.
func (t *trie) add(s string, word int, bits uint64) {
	bytes := []byte(s)
	for i, c := range bytes {
		bytes[i] = lower(c)
	}
	t.texts = append(t.texts, text{string(bytes), report{word, bits}})
}

// build makes the transitions of a.
func (t *trie) build(a *Automaton) error {
	t.classify(a)
	width := int(a.classes)
	next := make([]uint32, width) // of states by number; 0 is the root, and no child
	reports := [][]report{nil}
	for _, text := range t.texts {
		state := 0
		for i := range len(text.bytes) {
			at := state*width + int(a.class[text.bytes[i]])
			if next[at] == 0 {
				if len(reports) == mostStates {
					return fmt.Errorf("the literals of all rules make more than %d states", mostStates)
				}
				next[at] = uint32(len(reports))
				reports = append(reports, nil)
				if cap(next)-len(next) < width {
					next = slices.Grow(next, len(next)) // twice as much, for fewer copies
				}
				next = next[:len(next)+width]
				clear(next[len(next)-width:])
			}
			state = int(next[at])
		}
		reports[state] = merge(reports[state], text.report)
	}
	order := t.link(next, reports, width)
	t.renumber(a, next, reports, order, width)
	return nil
}

// classify gives every byte that occurs in a literal a class; all others share
// class 0.
func (t *trie) classify(a *Automaton) {
	a.classes = 1
	for _, text := range t.texts {
		for i := range len(text.bytes) {
			if c := text.bytes[i]; a.class[c] == 0 {
				a.class[c] = uint8(a.classes)
				a.classes++
			}
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		a.class[c] = a.class[lower(byte(c))]
	}
}

// link completes the transitions breadth first: where a state has no child it
// goes where the longest ending that is also a beginning goes. It returns the
// states in that order.
func (t *trie) link(next []uint32, reports [][]report, width int) []uint32 {
	fails := make([]uint32, len(reports))
	order := []uint32{0}
	for n := 0; n < len(order); n++ {
		state := int(order[n])
		for _, r := range reports[fails[state]] {
			if state != 0 {
				reports[state] = merge(reports[state], r)
			}
		}
		for c := range width {
			at := state*width + c
			child, other := next[at], uint32(0)
			if state != 0 {
				other = next[int(fails[state])*width+c]
			}
			if child == 0 {
				next[at] = other
				continue
			}
			fails[child] = other
			order = append(order, child)
		}
	}
	return order
}

// renumber puts the states that report last, so that one comparison finds
// them, and keeps near each other what is visited most.
func (t *trie) renumber(a *Automaton, next []uint32, reports [][]report, order []uint32, width int) {
	number := make([]uint32, len(reports))
	count := uint32(0)
	for _, state := range order {
		if reports[state] == nil {
			number[state] = count
			count++
		}
	}
	a.reporting = count * a.classes
	for _, state := range order {
		if reports[state] != nil {
			number[state] = count
			count++
			a.reports = append(a.reports, reports[state])
		}
	}
	a.next = make([]uint32, len(next))
	for state := range reports {
		row := int(number[state]) * width
		for c := range width {
			a.next[row+c] = number[next[state*width+c]] * a.classes
		}
	}
}

func merge(list []report, r report) []report {
	for n := range list {
		if list[n].word == r.word {
			list[n].bits |= r.bits
			return list
		}
	}
	return append(list, r)
}
