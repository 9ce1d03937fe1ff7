package match

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// What a transition may say besides the offset of a row.
const (
	unknown uint32 = iota // nobody has gone there yet
	matched
	failed // the text has ended
	special
)

const firstRows = 8

// DFA tells whether a regular expression matches somewhere in a value, as
// regexp does and some thirty times as fast. Its states are made when a value
// first needs them and stay: readers take no lock, whoever adds a state does.
// When the budget is spent, or the expression tells too many kinds of runes
// apart, it asks regexp.
type DFA struct {
	// regexp is compiled when it is first needed, as it mostly never is.
	regexp  func() *regexp.Regexp
	classes classes
	stride  uint32 // of a row: the classes and the end of the text
	table   atomic.Pointer[[]uint32]
	lazy    bool
	weight  float64 // see Pattern.Weight
	lasting bool

	mu      sync.Mutex
	builder builder
}

// NewDFA compiles an expression in the syntax of package regexp.
func NewDFA(expression string, budget *Budget) (*DFA, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("parsing %q: %w", expression, err)
	}
	return newDFA(expression, tree.Simplify(), budget)
}

// newDFA compiles an expression whose simplified tree is known.
func newDFA(expression string, tree *syntax.Regexp, budget *Budget) (*DFA, error) {
	prog, err := syntax.Compile(tree)
	if err != nil {
		return nil, fmt.Errorf("compiling %q: %w", expression, err)
	}
	d := &DFA{weight: weightOf(prog), lasting: lasting(prog), regexp: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
	if d.classes, d.lazy = classesOf(prog); !d.lazy {
		return d, nil
	}
	d.stride = uint32(len(d.classes.firsts) + 1)
	d.builder = newBuilder(prog, budget)
	rows := make([]uint32, firstRows*d.stride)
	d.lazy = budget.take(4 * len(rows))
	d.table.Store(&rows)
	d.builder.begin()
	return d, nil
}

// Match reports whether the expression matches in s.
func (d *DFA) Match(s string) bool { return d.end(s) >= 0 }

// end tells how much of s has to be read to know that the expression matches in
// it; less than 0 when it does not.
func (d *DFA) end(s string) int {
	if !d.lazy {
		return d.slow(s)
	}
	next := *d.table.Load()
	state := d.stride // row 0 stands for no state
	for i := 0; i < len(s); {
		var class uint32
		if c := s[i]; c < utf8.RuneSelf {
			class = uint32(d.classes.ascii[c])
			i++
		} else {
			r, width := utf8.DecodeRuneInString(s[i:])
			class = uint32(d.classes.find(r))
			i += width
		}
		to := atomic.LoadUint32(&next[state+class])
		if to < special {
			if to == unknown {
				if to, next = d.extend(state, class); to == unknown {
					return d.slow(s)
				}
			}
			if to == matched {
				return i
			}
		}
		state = to
	}
	end := d.stride - 1
	to := atomic.LoadUint32(&next[state+end])
	if to == unknown {
		if to, _ = d.extend(state, end); to == unknown {
			return d.slow(s)
		}
	}
	if to != matched {
		return -1
	}
	return len(s)
}

// slow is the same by regexp.
func (d *DFA) slow(s string) int {
	if !d.regexp().MatchString(s) {
		return -1
	}
	return len(s)
}

// extend finds out where a transition leads, and returns the table that has it;
// unknown when there is no memory for it.
func (d *DFA) extend(state, class uint32) (to uint32, table []uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *d.table.Load()
	if to = next[state+class]; to != unknown {
		return to, next // somebody was faster
	}
	r := rune(-1)
	if class < d.stride-1 {
		r = d.classes.firsts[class]
	}
	row, result := d.builder.step(int(state/d.stride), r)
	switch result {
	case stepMatched:
		to = matched
	case stepFailed:
		to = failed
	case stepSpent:
		return unknown, next
	default:
		if to = uint32(row) * d.stride; to >= uint32(len(next)) {
			if !d.builder.budget.take(4 * len(next)) {
				d.builder.forget(row)
				return unknown, next
			}
			// Who reads the old table meets an unknown transition at most, and
			// comes here.
			grown := make([]uint32, 2*len(next))
			copy(grown, next)
			next = grown
			d.table.Store(&next)
		}
	}
	atomic.StoreUint32(&next[state+class], to)
	return to, next
}

// States is how many states have been made.
func (d *DFA) States() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.builder.states)
}
