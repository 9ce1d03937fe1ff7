// Package diff tells in words what an edit of policies changes for those who
// call: first what is open now and was not, then what nobody can prove to be
// no wider, then the rest. It compares requests and not names: which route
// handles a request before and after, who may, and what else stands in the way.
//
// It errs in one direction only. What it does not report as widening or as
// unproved does not widen; what it reports may turn out harmless.
package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// Kind is what a change does to access.
type Kind uint8

// The kinds of findings, in the order of a report.
const (
	Widens   Kind = iota // a request that was refused, or held back, passes now
	Unproved             // nothing shows that it does not widen
	Narrows              // less passes than before
	Changes              // nothing that guards
)

// Kinds are all kinds, in the order of a report.
func Kinds() []Kind { return []Kind{Widens, Unproved, Narrows, Changes} }

// String is the heading of a kind's section.
func (k Kind) String() string {
	switch k {
	case Widens:
		return "widens"
	case Unproved:
		return "cannot be proved not to widen"
	case Narrows:
		return "narrows"
	default:
		return "changes otherwise"
	}
}

// Finding is one change.
type Finding struct {
	Kind Kind
	// On are the requests it is about: "GET /v1/hotels"; empty when it is
	// about all of them or none in particular.
	On []string
	// What says what has changed.
	What string
	// Pos is where the new policies say so, or the old ones with Removed.
	Pos     policy.Pos
	Removed bool

	// verb says that What goes on where the requests end.
	verb bool
}

// shown is how many requests are named before the others are counted.
const shown = 3

// Text is the finding as a sentence.
func (f Finding) Text() string {
	if len(f.On) == 0 {
		return f.What
	}
	on := strings.Join(f.On[:min(shown, len(f.On))], ", ")
	if more := len(f.On) - shown; more > 0 {
		on += fmt.Sprintf(" and %d more", more)
	}
	if f.verb {
		return on + " " + f.What
	}
	return on + ": " + f.What
}

// Report is what an edit changes.
type Report struct{ Findings []Finding }

// Of are the findings of one kind.
func (r Report) Of(k Kind) []Finding {
	var of []Finding
	for _, f := range r.Findings {
		if f.Kind == k {
			of = append(of, f)
		}
	}
	return of
}

// Widens reports whether access widens, or cannot be proved not to.
func (r Report) Widens() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind <= Unproved })
}

// Verdict is the report in one line.
func (r Report) Verdict() string {
	widens, unproved := len(r.Of(Widens)), len(r.Of(Unproved))
	switch {
	case widens > 0 && unproved > 0:
		return fmt.Sprintf("access widens: %s, and %d more that cannot be proved not to widen", changes(widens), unproved)
	case widens > 0:
		return "access widens: " + changes(widens)
	case unproved > 0:
		return fmt.Sprintf("access may widen: %s that cannot be proved not to", changes(unproved))
	case len(r.Of(Narrows)) > 0:
		return "access only narrows"
	case len(r.Findings) > 0:
		return "access stays as it was"
	default:
		return "nothing changes"
	}
}

func changes(n int) string {
	if n == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", n)
}

// tidy joins what is said of several requests alike, and sorts.
func (r *Report) tidy() {
	type key struct {
		kind Kind
		what string
		pos  policy.Pos
		verb bool
	}
	at := map[key]int{}
	var joined []Finding
	for _, f := range r.Findings {
		k := key{f.Kind, f.What, f.Pos, f.verb}
		i, known := at[k]
		if !known {
			at[k] = len(joined)
			joined = append(joined, f)
			continue
		}
		for _, on := range f.On {
			if !slices.Contains(joined[i].On, on) {
				joined[i].On = append(joined[i].On, on)
			}
		}
	}
	for i := range joined {
		slices.Sort(joined[i].On)
	}
	slices.SortStableFunc(joined, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Text(), b.Text()))
	})
	r.Findings = joined
}
