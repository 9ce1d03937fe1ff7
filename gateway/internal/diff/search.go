package diff

// stepsMost bounds one proof. What needs more counts as not proved.
const stepsMost = 20_000

// answer is what a search comes to.
type answer uint8

const (
	never    answer = iota // no request makes the goal true
	possible               // some request does, as far as is known of conditions
	tooMuch                // it was not found out
)

// search looks for a request that makes a goal true. It tries the cases of one
// variable after the other and leaves a branch as soon as the goal cannot come
// true in it, so that rules alike on both sides cost little.
func (v *variables) search(goal expr) answer {
	s := &search{variables: v, goal: goal, known: make([]int, len(v.list))}
	for i := range s.known {
		s.known[i] = unknown
	}
	return s.from()
}

type search struct {
	*variables
	goal  expr
	known []int
	steps int
}

func (s *search) from() answer {
	if s.steps++; s.steps > stepsMost {
		return tooMuch
	}
	switch t := s.goal.eval(s.known); {
	case t&isTrue == 0:
		return never
	case t == isTrue:
		return possible
	}
	next := s.goal.open(s.known)
	if next == unknown {
		return never // decided, and not true
	}
	defer func() { s.known[next] = unknown }()
	for i := range s.list[next].cases {
		s.known[next] = i
		if a := s.from(); a != never {
			return a
		}
	}
	return never
}
