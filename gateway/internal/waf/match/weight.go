package match

import (
	"regexp/syntax"
	"unicode"
)

// What package regexp takes for a byte, in nanoseconds on one core of the
// reference machine. It follows all threads of a program at once: those that
// start anew at each byte, and those that a text keeps alive, of which a long
// program has more. Made to be about right for the worst of texts and up to
// three times too much for others; see BenchmarkCost of package waf.
const (
	weightOfByte        = 20
	weightOfThread      = 18 // that starts at each byte
	weightOfInstruction = 0.08
	mostOfInstructions  = 320
	weightOfLiteral     = 4   // looked for with the processor's own instructions
	weightOfBytes       = 300 // of a pattern that matches bytes
)

// Weight is what the engine takes at most, about, to look for the pattern in a
// value, in nanoseconds for each byte.
func (p *Pattern) Weight() float64 {
	if p.bytes != nil {
		return weightOfBytes
	}
	return p.dfa.weight
}

// Unread is how much of a value in which the pattern matches need not be read to
// know that. The engine reads it for little: threads that start anew are over. It
// counts half for a pattern whose threads go on, as those of .* do: regexp looks
// for the longest there is.
func (p *Pattern) Unread(s string) int {
	if p.bytes != nil {
		return 0
	}
	end := p.dfa.end(s)
	switch {
	case end < 0:
		return 0
	case p.dfa.lasting:
		return (len(s) - end) / 2
	}
	return len(s) - end
}

func weightOf(prog *syntax.Prog) float64 {
	if prefix, _ := prog.Prefix(); prefix != "" {
		return weightOfLiteral
	}
	return weightOfByte + weightOfThread*float64(starts(prog)) + min(weightOfInstruction*float64(len(prog.Inst)), mostOfInstructions)
}

// lasting tells whether a thread of a program may take almost any text.
func lasting(prog *syntax.Prog) bool {
	for n := range prog.Inst {
		switch in := &prog.Inst[n]; in.Op {
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			return true
		case syntax.InstRune:
			// What is all but some characters goes up to the last there is.
			if len(in.Rune) > 1 && in.Rune[len(in.Rune)-1] == unicode.MaxRune {
				return true
			}
		}
	}
	return false
}

// starts counts the instructions at which threads wait for the first character.
func starts(prog *syntax.Prog) (n int) {
	seen := make([]bool, len(prog.Inst))
	stack := []uint32{uint32(prog.Start)}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		switch in := &prog.Inst[at]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			n++
			stack = append(stack, in.Out)
		default:
			n++
		}
	}
	return n
}
