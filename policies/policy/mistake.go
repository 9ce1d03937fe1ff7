package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing wrong in a policy file, or worth knowing about it: what,
// where, why, and how to mend it.
type Mistake struct {
	// Severity is whether the policies can be served with it.
	Severity Severity
	// Code names the kind of mistake, for search and help; see the codes.
	Code string
	// Pos is where it was made; Line 0 when it concerns a whole file.
	Pos Pos
	// Width is how many characters the caret underlines; at least 1.
	Width int
	// What is the mistake in one sentence, Why stands beside the caret, Hint
	// tells how to mend it. Why and Hint may be empty.
	What, Why, Hint string
	// Source is the line of Pos, empty when there is none.
	Source []string
}

// Place is file:line:column, for logs.
func (m Mistake) Place() string { return m.Pos.String() }

// Error is the mistake on one line: file:line:column: what (code).
func (m Mistake) Error() string {
	text := fmt.Sprintf("%s: %s [%s]", m.Pos, m.What, m.Code)
	if m.Why != "" {
		text += ": " + m.Why
	}
	return text
}

// Mistakes are all mistakes found together, in the order of files and lines.
// As an error it is one line each; Render shows them with their source.
type Mistakes []Mistake

// Error lists the mistakes, one a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Join merges the mistakes that errors hold, whatever found them, sorted and
// without repeats. An error that holds none becomes a mistake without a place.
// It returns nil when there is nothing wrong.
func Join(errs ...error) error {
	var all Mistakes
	for _, err := range errs {
		if err == nil {
			continue
		}
		if ms, ok := errors.AsType[Mistakes](err); ok {
			all = append(all, ms...)
		} else if m, ok := errors.AsType[Mistake](err); ok {
			all = append(all, m)
		} else {
			all = append(all, Mistake{Code: CodeOther, Width: 1, What: err.Error()})
		}
	}
	return all.tidy()
}

// Of are the mistakes of some severities, in their order.
func (ms Mistakes) Of(severities ...Severity) Mistakes {
	var some Mistakes
	for _, m := range ms {
		if slices.Contains(severities, m.Severity) {
			some = append(some, m)
		}
	}
	return some
}

// Codes are the codes of the mistakes, each once, in the order of their first.
func (ms Mistakes) Codes() []string {
	var codes []string
	for _, m := range ms {
		if !slices.Contains(codes, m.Code) {
			codes = append(codes, m.Code)
		}
	}
	return codes
}

// At makes a mistake found after loading, for instance by a compiler.
// (*Document).Excerpt gives it its source line.
func At(pos Pos, code, what, hint string) Mistake {
	return Mistake{Code: code, Pos: pos, Width: 1, What: what, Hint: hint}
}

// mistakesShown bounds what one run reports: a file full of junk must not cost
// more to report than to read.
const mistakesShown = 200

// tidy is tidied as an error, nil when there is nothing wrong.
func (ms Mistakes) tidy() error {
	if len(ms) == 0 {
		return nil
	}
	return ms.tidied()
}

// tidied sorts, drops repeats and bounds.
func (ms Mistakes) tidied() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
			cmp.Compare(a.Code, b.Code),
		)
	})
	ms = slices.CompactFunc(ms, func(a, b Mistake) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.What == b.What
	})
	if more := len(ms) - mistakesShown; more > 0 {
		ms = append(ms[:mistakesShown:mistakesShown], Mistake{
			Code: CodeOther, Width: 1, What: fmt.Sprintf("%d more mistakes are not shown", more),
		})
	}
	return ms
}

// String is file:line:column, or the file alone when the line is not known.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return "policy"
	case p.Line == 0:
		return p.File
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}
