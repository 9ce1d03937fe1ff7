package policy

import (
	"strings"
	"unicode"
)

// source is a file as it was read: what mistakes found later quote from.
type source struct {
	lines  []string
	widths map[Pos]int // of the values that were read
}

// Excerpt returns the mistake with the source line it was made on and the
// width of the value there, when the document has them.
func (d *Document) Excerpt(m Mistake) Mistake {
	s, ok := d.sources[m.Pos.File]
	if !ok || m.Pos.Line < 1 || m.Pos.Line > len(s.lines) {
		return m
	}
	m.Source = []string{s.lines[m.Pos.Line-1]}
	m.Width = max(1, s.widths[m.Pos])
	return m
}

// lines splits a file for quoting. Characters that could move a terminal's
// cursor or colour it are replaced, one for one, so that columns stay true and
// a policy file cannot forge what the tool says about it.
func lines(data []byte) []string {
	split := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	for i, line := range split {
		split[i] = strings.Map(printable, line)
	}
	return split
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsPrint(r):
		return r
	default:
		return unicode.ReplacementChar
	}
}
