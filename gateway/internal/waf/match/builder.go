package match

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// kind is what assertions need to know of the rune before a place.
type kind byte

const (
	atBegin kind = iota
	atLine       // behind a line end
	atWord       // behind a word character
	atOther
)

// stepResult tells what a step led to.
type stepResult int

const (
	stepRow stepResult = iota
	stepMatched
	stepFailed
	stepSpent
)

// stateCost is about what a state takes besides its row and twice its key.
const stateCost = 80

// builder makes the states of a DFA. A state is the set of instructions that
// threads of the program wait at, and the kind of the rune before; its key says
// both. It is guarded by the lock of its DFA.
type builder struct {
	prog   *syntax.Prog
	budget *Budget
	// tells are the kinds that the program's assertions tell from atOther.
	tells  [atOther]bool
	states []string // keys by row
	rows   map[string]int
	seen   []bool
	stack  []uint32
	after  []uint32
	key    []byte
}

func newBuilder(prog *syntax.Prog, budget *Budget) builder {
	b := builder{prog: prog, budget: budget, rows: map[string]int{}, seen: make([]bool, len(prog.Inst))}
	for _, in := range prog.Inst {
		if in.Op != syntax.InstEmptyWidth {
			continue
		}
		switch op := syntax.EmptyOp(in.Arg); {
		case op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0:
			b.tells[atWord] = true
		case op&syntax.EmptyBeginLine != 0:
			b.tells[atBegin], b.tells[atLine] = true, true
		case op&syntax.EmptyBeginText != 0:
			b.tells[atBegin] = true
		}
	}
	return b
}

// begin makes row 0, which is no state, and row 1, where every text begins.
func (b *builder) begin() {
	b.states = append(b.states, "")
	b.after = b.after[:0]
	b.add(atBegin)
}

// add returns the row of the state in b.after.
func (b *builder) add(before kind) (row int, ok bool) {
	if before < atOther && !b.tells[before] {
		before = atOther
	}
	slices.Sort(b.after)
	b.key = append(b.key[:0], byte(before))
	last := uint32(0)
	for n, pc := range b.after {
		if n > 0 && pc == last {
			continue
		}
		b.key = binary.AppendUvarint(b.key, uint64(pc-last))
		last = pc
	}
	if row, there := b.rows[string(b.key)]; there {
		return row, true
	}
	if !b.budget.take(stateCost + 2*len(b.key)) {
		return 0, false
	}
	key := string(b.key)
	row = len(b.states)
	b.states = append(b.states, key)
	b.rows[key] = row
	return row, true
}

// forget takes back the state that was made last.
func (b *builder) forget(row int) {
	if row == len(b.states)-1 {
		delete(b.rows, b.states[row])
		b.states = b.states[:row]
	}
}

// step follows all threads of a state over a rune, -1 at the end of the text. A
// new thread begins everywhere: the match may be anywhere.
func (b *builder) step(row int, r rune) (next int, result stepResult) {
	key := b.states[row]
	before := kind(key[0])
	now := kindOf(r)
	holds := assertions(before, now, r)
	clear(b.seen)
	b.stack = append(b.stack[:0], uint32(b.prog.Start))
	pc := uint32(0)
	for rest := []byte(key[1:]); len(rest) > 0; {
		delta, n := binary.Uvarint(rest)
		rest = rest[n:]
		pc += uint32(delta)
		b.stack = append(b.stack, pc)
	}
	b.after = b.after[:0]
	for len(b.stack) > 0 {
		pc := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		if b.seen[pc] {
			continue
		}
		b.seen[pc] = true
		switch in := &b.prog.Inst[pc]; in.Op {
		case syntax.InstMatch:
			return 0, stepMatched
		case syntax.InstAlt, syntax.InstAltMatch:
			b.stack = append(b.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			b.stack = append(b.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^holds == 0 {
				b.stack = append(b.stack, in.Out)
			}
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if r >= 0 && in.MatchRune(r) {
				b.after = append(b.after, in.Out)
			}
		}
	}
	if r < 0 {
		return 0, stepFailed
	}
	next, ok := b.add(now)
	if !ok {
		return 0, stepSpent
	}
	return next, stepRow
}

// assertions are those that hold between a rune of the kind before and r.
func assertions(before, now kind, r rune) (holds syntax.EmptyOp) {
	switch before {
	case atBegin:
		holds |= syntax.EmptyBeginText | syntax.EmptyBeginLine
	case atLine:
		holds |= syntax.EmptyBeginLine
	}
	switch r {
	case -1:
		holds |= syntax.EmptyEndText | syntax.EmptyEndLine
	case '\n':
		holds |= syntax.EmptyEndLine
	}
	if (before == atWord) != (now == atWord) {
		return holds | syntax.EmptyWordBoundary
	}
	return holds | syntax.EmptyNoWordBoundary
}

func kindOf(r rune) kind {
	switch {
	case r == '\n':
		return atLine
	case r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z':
		return atWord
	}
	return atOther
}
