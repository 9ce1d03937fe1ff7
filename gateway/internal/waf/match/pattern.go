package match

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"

	"rsc.io/binaryregexp"
)

// flags are what the engine puts before every pattern that matches text: a dot
// matches line ends, ^ and $ match at them.
const flags = "(?sm)"

// Pattern is the argument of an @rx, as the engine reads it.
type Pattern struct {
	// Need is what a value must have to be matched.
	Need
	// Expression is what is compiled, flags included.
	Expression string
	dfa        *DFA
	bytes      *binaryregexp.Regexp
}

// NewPattern compiles the argument of an @rx.
func NewPattern(argument string, budget *Budget) (*Pattern, error) {
	p := &Pattern{Expression: flags + argument}
	if matchesBytes(p.Expression) {
		return p.bytewise(argument)
	}
	tree, err := syntax.Parse(p.Expression, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("parsing %q: %w", argument, err)
	}
	tree = tree.Simplify()
	p.Need = extractor{}.need(tree)
	p.dfa, err = newDFA(p.Expression, tree, budget)
	return p, err
}

// bytewise makes of p a pattern that matches bytes, of which the engine has
// another compiler take care, without flags.
func (p *Pattern) bytewise(argument string) (_ *Pattern, err error) {
	p.Expression = argument
	if p.bytes, err = binaryregexp.Compile(argument); err != nil {
		return nil, fmt.Errorf("compiling %q: %w", argument, err)
	}
	tree, err := syntax.Parse(argument, syntax.Perl)
	if err == nil && isASCII(argument) { // it would not mean the same byte by byte
		p.Need = extractor{bytewise: true}.need(tree.Simplify())
	}
	return p, nil
}

// Bytewise tells whether the pattern matches bytes and not characters.
func (p *Pattern) Bytewise() bool { return p.bytes != nil }

// Match reports whether the pattern matches in s.
func (p *Pattern) Match(s string) bool {
	if p.bytes != nil {
		return p.bytes.MatchString(s)
	}
	return p.dfa.Match(s)
}

// mostCaptures is how many groups the engine keeps, the whole match among them.
const mostCaptures = 9

// Captures returns what the engine keeps of a match, nil when there is none.
func (p *Pattern) Captures(s string) []string {
	var groups []string
	if p.bytes != nil {
		groups = p.bytes.FindStringSubmatch(s)
	} else {
		groups = p.dfa.regexp().FindStringSubmatch(s)
	}
	return groups[:min(len(groups), mostCaptures)]
}

// States is how many states have been made to match values.
func (p *Pattern) States() int {
	if p.dfa == nil {
		return 0
	}
	return p.dfa.States()
}

// Union returns one automaton that matches where one of the patterns does, all
// of which match characters.
func Union(patterns []*Pattern, budget *Budget) (*DFA, error) {
	parts := make([]string, len(patterns))
	for n, p := range patterns {
		parts[n] = "(?:" + p.Expression + ")"
	}
	return NewDFA(strings.Join(parts, "|"), budget)
}

// matchesBytes tells whether the engine takes a pattern for one that matches
// bytes: with its \x escapes decoded it is no UTF-8.
func matchesBytes(expression string) bool {
	var decoded []byte
	for i := 0; i < len(expression); i++ {
		c := expression[i]
		if c != '\\' {
			decoded = append(decoded, c)
			continue
		}
		if i+3 >= len(expression) {
			decoded = append(decoded, expression[i:]...)
			break
		}
		digits, length := hexEscape(expression[i:])
		value, err := strconv.ParseUint(digits, 16, 8)
		if err != nil || digits == "" {
			decoded = append(decoded, c)
			continue
		}
		decoded = append(decoded, byte(value))
		i += length - 1
	}
	return !utf8.Valid(decoded)
}

// hexEscape returns the digits of \xNN, or the first two of \x{NN...}, and the
// length of the escape; no digits when it is another.
func hexEscape(s string) (digits string, length int) {
	if s[1] != 'x' {
		return "", 0
	}
	inside, length := s[2:], 4
	if len(s) >= 6 && s[2] == '{' {
		if end := strings.IndexByte(s, '}'); end >= 0 {
			inside, length = s[3:end], end+1
		}
	}
	if len(inside) < 2 || strings.ContainsAny(inside[:2], "+-_") {
		return "", 0
	}
	return inside[:2], length
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
