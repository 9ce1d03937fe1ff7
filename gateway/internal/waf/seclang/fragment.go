package seclang

import (
	"fmt"
	"strings"
)

// Mistake is what could not be read, and where.
type Mistake struct {
	Place
	Err error
}

func (m *Mistake) Error() string { return fmt.Sprintf("%v: %v", m.Place, m.Err) }

func (m *Mistake) Unwrap() error { return m.Err }

func (p Place) wrong(format string, args ...any) error {
	return &Mistake{p, fmt.Errorf(format, args...)}
}

// Fragment reads a file that ought to hold rules alone: SecRule, SecAction and
// SecMarker. Any other directive, such as one that includes a file or takes a
// rule away, is not carried out; it stands among the settings. Defaults are those
// that the Core Rule Set gives to its own rules. What does not end in a plain way
// is refused, whatever the engine would make of it. The error is a Mistake; what
// stands before it is returned as well.
func Fragment(file, text string) (*Policy, error) {
	p := &parser{policy: &Policy{}, defaults: map[int][]Action{}, place: Place{File: file}, rulesOnly: true}
	for phase, written := range map[int]string{1: "phase:1,log,auditlog,pass", 2: "phase:2,log,auditlog,pass"} {
		actions, err := parseActions(written)
		if err != nil {
			return p.policy, p.place.wrong("%w", err)
		}
		p.defaults[phase] = actions
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		at := Place{file, number}
		if c := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); c >= 0 {
			return p.policy, at.wrong("the character %q cannot be seen", line[c])
		}
		// The engine joins such lines with line breaks between them.
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "`") || strings.HasSuffix(line, "`") {
			return p.policy, at.wrong("a line begins or ends with a backtick, which is how data sets are written")
		}
	}
	if err := p.read(text); err != nil {
		return p.policy, err
	}
	if p.open != nil {
		return p.policy, p.open.wrong("the chain ends without its last rule")
	}
	return p.policy, nil
}
