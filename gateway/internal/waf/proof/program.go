package proof

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
	"portcullis/gateway/internal/waf/transform"
)

// DefaultMemory bounds the automata that a program makes while it matches
// values, in bytes.
const DefaultMemory = 32 << 20

// Config is what a program is compiled from.
type Config struct {
	// Files are what the directives may include, Directives the very text that
	// the engine is given.
	Files      fs.FS
	Directives string
	// Automata share what programs of the same literals look for; nil shares
	// nothing.
	Automata *match.Automata
	// Memory bounds what matching may take; nil for DefaultMemory of its own.
	Memory *match.Budget
}

// Program is a compiled policy. It is immutable but for what it remembers, and
// safe for concurrent use.
type Program struct {
	rules []*rule
	// links are those that look at values, by their bits in sets.
	links     []*link
	automaton *match.Automaton
	plans     [collect.Variables]*plan
	// fields are the plans of header fields by name in lower case; all others
	// have the plan of Headers.
	fields map[string]*plan
	// unions are the links without literals, and what clears them all at once.
	unions set
	union  *match.DFA
	// totals are the rules that no value has to meet.
	totals    []*rule
	selectors []*selector
	exempting []*exemption
	nodes     []*node
	lowercase *transform.Transformation
	limits    limits
	memory    *memory
	narrowing narrowing

	// answer proves answers; nil when they are not inspected.
	answer *Program

	// whole is why nothing can be proved, empty when something can.
	whole      string
	unprovable []Unprovable
	checks     sync.Pool
	budget     *match.Budget
	dead       int
	counting   int // selections that count
}

// Unprovable is a rule that cannot be decided without the engine.
type Unprovable struct {
	// Rule is its id, 0 for what is no rule.
	Rule int
	seclang.Place
	// Why says what is not understood, Then which requests the engine decides
	// because of it.
	Why, Then string
}

func (u Unprovable) String() string {
	switch {
	case u.Place == (seclang.Place{}): // it lies in what is not there
		return u.Why + "; " + u.Then
	case u.Rule == 0:
		return fmt.Sprintf("%v: %s; %s", u.Place, u.Why, u.Then)
	}
	return fmt.Sprintf("rule %d at %v: %s is not provable; %s", u.Rule, u.Place, u.Why, u.Then)
}

// Unprovable lists what only the engine can decide, in the order of the text.
func (p *Program) Unprovable() []Unprovable { return p.unprovable }

// Whole is why nothing can be proved, and all rules have to be asked about every
// request; empty when something can.
func (p *Program) Whole() string { return p.whole }

// Stats tells how large a program is.
type Stats struct {
	// Rules are those compiled, Decided those that a constant decides.
	Rules, Decided int
	// Links look at values; each has a bit in an automaton of so many states
	// and bytes.
	Links, States, Bytes int
	// MemoryLeft is what is left for automata made while matching, in bytes.
	MemoryLeft int64
}

// Stats tells how large the program is.
func (p *Program) Stats() Stats {
	s := Stats{Rules: len(p.rules), Decided: p.dead, Links: len(p.links), MemoryLeft: p.budget.Left()}
	if p.automaton != nil {
		s.States, s.Bytes = p.automaton.States(), p.automaton.Bytes()
	}
	return s
}

// Compile compiles a policy. An error is about the text; what is understood but
// cannot be proved is no error: see Unprovable.
func Compile(config Config) (*Program, error) {
	policy, err := seclang.Parse(config.Files, config.Directives)
	if err != nil {
		return nil, err
	}
	if len(policy.Rules) == 0 {
		return nil, errors.New("the policy has no rule")
	}
	transformations, err := transform.New()
	if err != nil {
		return nil, err
	}
	fixed, err := engineFixed()
	if err != nil {
		return nil, err
	}
	memory := config.Memory
	if memory == nil {
		memory = match.NewBudget(DefaultMemory)
	}
	c := newCompiler(config.Files, policy, transformations, fixed, memory)
	c.automata = config.Automata
	return c.compile()
}
