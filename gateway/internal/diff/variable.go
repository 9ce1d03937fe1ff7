package diff

import (
	"cmp"
	"slices"
)

// variable is something of a request that conditions ask for, such as who the
// client is, with the cases that they tell apart. Exactly one of its cases is
// so: that is what is known of how conditions hang together, and all that
// proofs use. Different variables may have any cases beside each other.
type variable struct {
	key   string
	cases []fact
	// opaque says that others may mean the same or hang together with it.
	opaque bool
	// sides says who asks for it: old, new.
	sides [2]bool
}

// fact is one case of a variable. What a fact means is up to the tests of its
// variable; facts of one variable are never the same.
type fact struct {
	text   string
	number int64
	kind   factKind
}

type factKind uint8

const (
	named  factKind = iota // as text and number say
	other                  // anything that no condition names
	absent                 // not there: asking for it in CEL is an error
	odd                    // there, and not what it was declared as: an error
	holds
	fails
)

// test asks a variable.
type test struct {
	*variables
	variable int
	of       func(fact) truth
}

func (t test) eval(known []int) truth {
	cases := t.list[t.variable].cases
	if known[t.variable] != unknown {
		return t.of(cases[known[t.variable]])
	}
	var all truth
	for _, f := range cases {
		all |= t.of(f)
	}
	return all
}

func (t test) open(known []int) int {
	if known[t.variable] == unknown {
		return t.variable
	}
	return unknown
}

func (t test) visit(f func(int)) { f(t.variable) }

// variables are those of one comparison. All conditions of both sides are
// added before any is evaluated, for only then are the cases complete.
type variables struct {
	list  []*variable
	known map[string]int
}

// ask adds a variable with cases and a test of it.
func (v *variables) ask(side int, key string, cases []fact, of func(fact) truth) test {
	i, known := v.known[key]
	if !known {
		i = len(v.list)
		if v.known == nil {
			v.known = map[string]int{}
		}
		v.known[key] = i
		v.list = append(v.list, &variable{key: key})
	}
	at := v.list[i]
	at.sides[side] = true
	for _, f := range cases {
		if !slices.Contains(at.cases, f) {
			at.cases = append(at.cases, f)
		}
	}
	slices.SortFunc(at.cases, func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.number, b.number), cmp.Compare(a.text, b.text))
	})
	return test{v, i, of}
}

// truth asks whether something holds about which nothing else is known.
func (v *variables) truth(side int, key string, mayErr, opaque bool) test {
	cases := []fact{{kind: holds}, {kind: fails}}
	if mayErr {
		cases = append(cases, fact{kind: absent}, fact{kind: odd})
	}
	t := v.ask(side, key, cases, func(f fact) truth {
		switch f.kind {
		case holds:
			return isTrue
		case fails:
			return isFalse
		default:
			return isError
		}
	})
	v.list[t.variable].opaque = opaque
	return t
}

// text asks whether a text is one of some.
func (v *variables) text(side int, key string, mayErr bool, wanted ...string) test {
	cases := []fact{{kind: other}}
	for _, w := range wanted {
		cases = append(cases, fact{text: w})
	}
	if mayErr {
		cases = append(cases, fact{kind: absent}, fact{kind: odd})
	}
	return v.ask(side, key, cases, func(f fact) truth {
		if f.kind == absent || f.kind == odd {
			return isError
		}
		return truthOf(f.kind == named && slices.Contains(wanted, f.text))
	})
}

// number compares a whole number with another; that number and its neighbours
// are cases enough to tell two comparisons apart.
func (v *variables) number(side int, key string, mayErr bool, with int64, compare func(a, b int64) bool) test {
	var cases []fact
	for _, n := range []int64{with - 1, with, with + 1} {
		cases = append(cases, fact{number: n})
	}
	if mayErr {
		cases = append(cases, fact{kind: absent}, fact{kind: odd})
	}
	return v.ask(side, key, cases, func(f fact) truth {
		if f.kind == absent || f.kind == odd {
			return isError
		}
		return truthOf(compare(f.number, with))
	})
}

// present is a test by a rule's own words: what is absent is not what they ask
// for, and no error.
func (t test) present() test {
	of := t.of
	t.of = func(f fact) truth {
		if f.kind == absent {
			return isFalse
		}
		return of(f)
	}
	return t
}
