package diff

// truth is what an expression may come to: one of true, false and error, or a
// set of them while not all is known.
type truth uint8

const (
	isTrue truth = 1 << iota
	isFalse
	isError
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// decided reports whether nothing is left open.
func (t truth) decided() bool { return t == isTrue || t == isFalse || t == isError }

// expr is a formula over variables.
type expr interface {
	// eval is what the formula may come to; known holds the case of each
	// variable, or unknown.
	eval(known []int) truth
	// open is a variable that the formula still hangs on, or unknown.
	open(known []int) int
	// visit calls f with each variable.
	visit(f func(variable int))
}

const unknown = -1

// and is true when all are true and false when one is, as && in CEL: one that
// is false makes up for an error beside it.
type and []expr

func (a and) eval(known []int) truth {
	all := isTrue
	for _, e := range a {
		b := e.eval(known)
		var both truth
		both |= (all | b) & isFalse
		both |= all & b & isTrue
		if all&isError != 0 && b&(isTrue|isError) != 0 || b&isError != 0 && all&(isTrue|isError) != 0 {
			both |= isError
		}
		all = both
	}
	return all
}

func (a and) open(known []int) int { return firstOpen(a, known) }

func (a and) visit(f func(int)) { visitAll(a, f) }

// or is not(and(not ...)), which holds in CEL too.
type or []expr

func (o or) eval(known []int) truth {
	inverse := make(and, len(o))
	for i, e := range o {
		inverse[i] = not{e}
	}
	return not{inverse}.eval(known)
}

func (o or) open(known []int) int { return firstOpen(o, known) }

func (o or) visit(f func(int)) { visitAll(o, f) }

// not keeps an error.
type not struct{ of expr }

func (n not) eval(known []int) truth {
	t := n.of.eval(known)
	turned := t & isError
	if t&isTrue != 0 {
		turned |= isFalse
	}
	if t&isFalse != 0 {
		turned |= isTrue
	}
	return turned
}

func (n not) open(known []int) int { return n.of.open(known) }

func (n not) visit(f func(int)) { n.of.visit(f) }

// settled is a rule as it counts: an allow rule that errs does not match, a
// deny rule that errs does.
type settled struct {
	of      expr
	onError truth
}

func (s settled) eval(known []int) truth {
	t := s.of.eval(known)
	if t&isError != 0 {
		t = t&^isError | s.onError
	}
	return t
}

func (s settled) open(known []int) int { return s.of.open(known) }

func (s settled) visit(f func(int)) { s.of.visit(f) }

// constant is true, false or error.
type constant truth

func (c constant) eval([]int) truth { return truth(c) }

func (constant) open([]int) int { return unknown }

func (constant) visit(func(int)) {}

func firstOpen(list []expr, known []int) int {
	for _, e := range list {
		if e.eval(known).decided() {
			continue
		}
		if v := e.open(known); v != unknown {
			return v
		}
	}
	return unknown
}

func visitAll(list []expr, f func(int)) {
	for _, e := range list {
		e.visit(f)
	}
}
