package proof

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

// set has a bit for each link that looks at values.
type set [mostLinks / 64]uint64

const mostLinks = 512

func (s *set) has(bit int) bool { return s[bit/64]>>(bit%64)&1 == 1 }
func (s *set) add(bit int)      { s[bit/64] |= 1 << (bit % 64) }
