package policy

import "fmt"

// Severity is how much a mistake weighs.
type Severity int

const (
	// Error: the policies cannot be served as they are.
	Error Severity = iota
	// Warning: they are served, and somebody has to look at this soon.
	Warning
	// Note: they are served; this is worth knowing when they are read.
	Note
)

func severities() []string { return []string{"error", "warning", "note"} }

// String is the word people see.
func (s Severity) String() string {
	if s < Error || s > Note {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severities()[s]
}

// MarshalText writes the word, for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, word := range severities() {
		if word == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a severity: it is one of %q", text, severities())
}
