package proof

import (
	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
	"portcullis/gateway/internal/waf/transform"
)

// set has a bit for each link that looks at values.
type set [mostLinks / 64]uint64

const mostLinks = 512

func (s *set) has(bit int) bool { return s[bit/64]>>(bit%64)&1 == 1 }
func (s *set) add(bit int)      { s[bit/64] |= 1 << (bit % 64) }

// rule has an effect when all its links are met.
type rule struct {
	id    int
	phase int
	links []*link
	// wanted are the links that values have to meet, one bit each.
	wanted uint32
	// counts and contexts are decided when all values are known.
	counts, contexts []*link
	// immediate says that the rule can be decided for each value that meets its
	// first link by itself: one context link reads what that value left behind,
	// and nothing else.
	immediate bool
	// waits says that it depends on what only the body can bring.
	waits  bool
	exempt []*exemption
	number int // among the rules of the program
	// head is the first link of the chain, nil when it is not known when it is met.
	// upsets says that the rule, when it has an effect, may change what has been
	// taken for granted about others.
	head   *link
	upsets bool
	asked  bool // the engine always is, about it
}

// link is one condition of a rule.
type link struct {
	rule       *rule
	number     int // among the links of the rule
	bit        int // among all links that look at values
	selections []selection
	*condition
	node *node
	// lower says that a last t:lowercase was cut off: literals are found in
	// either case, and only what is confirmed is lowered.
	lower bool
	// every also looks at each value on the way through the transformations.
	every    bool
	captures bool
	assigns  []assignment
	// foreign are expressions by which other rules pick variables that this
	// link might set.
	foreign []reader
	// constants are the values of variables of the transaction that the link reads
	// and that do not depend on the request.
	constants []string
	// weight is what the engine takes to look at a value.
	weight weight
}

// covers tells whether the link looks at this member of a variable.
func (l *link) covers(v collect.Variable, name, lower string) bool {
	for n := range l.selections {
		s := &l.selections[n]
		for _, source := range sources[s.name] {
			if source == v && !s.count && s.covers(name, lower) {
				return true
			}
		}
	}
	return false
}

// picks tells whether the link looks at some members of a variable only.
func (l *link) picks(v collect.Variable) bool {
	for n := range l.selections {
		s := &l.selections[n]
		for _, source := range sources[s.name] {
			if source == v && !s.count && s.all() {
				return false
			}
		}
	}
	return true
}

// node is a step in the tree of all chains of transformations.
type node struct {
	id     int
	parent *node
	step   *transform.Transformation // nil at the root
	// trigger is a mask of which every value has a bit that the step changes.
	trigger match.Mask
	// always says that a step up to here changes every value.
	always   bool
	children []*node
}

// steps are the transformations from the root.
func (n *node) steps() []*transform.Transformation {
	if n.step == nil {
		return nil
	}
	return append(n.parent.steps(), n.step)
}

// reader is a rule's way to read variables of the transaction.
type reader struct {
	rule *seclang.Rule
	selection
}

// selector chooses how the body is read.
type selector struct {
	links     []*link
	processor string // in upper case
	force     bool
}

// exemption is a rule that keeps others from a target, or altogether.
type exemption struct {
	links []*link
	// variable is what they are kept from; Variables for everything.
	variable collect.Variable
	number   int
}
