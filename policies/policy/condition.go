package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// conditionLongest bounds a condition in bytes: what is longer nobody reviews.
const conditionLongest = 4096

// condition reads a text that may go over several lines.
func condition(v *Value[string]) reader {
	return scalar(v, kind[string]{"a condition", []string{"!!str"}, parseCondition, schema{Type: "string", MinLength: 1}})
}

func parseCondition(s string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", errors.New("the condition is empty")
	case len(s) > conditionLongest:
		return "", fmt.Errorf("the condition is longer than %d bytes", conditionLongest)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }):
		return "", errors.New("the condition holds a character that cannot be seen")
	}
	return s, nil
}

// Within is the place in the file of a byte of a value's text, for carets under
// part of a condition. White space, which YAML folds, has the place of what
// stands before it; an offset outside the text has that of the value.
func (d *Document) Within(v Value[string], offset int) Pos {
	s, ok := d.sources[v.Pos.File]
	if !ok || v.Pos.Line < 1 || v.Pos.Line > len(s.lines) || offset < 0 || offset > len(v.V) {
		return v.Pos
	}
	// YAML changes white space and escapes of a text, and nothing else: the nth
	// visible character of the text is the nth of the source.
	nth := 0
	for _, r := range v.V[:offset] {
		if !isBlank(r) {
			nth++
		}
	}
	after := 0 // columns right of the last visible one
	if r, _ := utf8.DecodeRuneInString(v.V[offset:]); offset == len(v.V) || isBlank(r) {
		if nth == 0 {
			return v.Pos
		}
		nth, after = nth-1, 1
	}
	t := newTracker(s.lines, v.Pos)
	for ; nth > 0; nth-- {
		t.next()
	}
	at := t.next()
	at.Column += after
	return at
}

func isBlank(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' }

// tracker walks over the visible characters of a scalar in its source.
type tracker struct {
	lines [][]rune // from the value's first
	pos   Pos      // of the first
	row   int
	col   int
	quote rune // ' or ", or none
	last  Pos
}

func newTracker(source []string, pos Pos) *tracker {
	t := &tracker{pos: pos, col: pos.Column - 1, last: pos}
	for _, line := range source[pos.Line-1:] {
		t.lines = append(t.lines, []rune(line))
	}
	if t.col < 0 || t.col >= len(t.lines[0]) {
		return t
	}
	switch first := t.lines[0][t.col]; first {
	case '\'', '"':
		t.quote = first
		t.col++
	case '|', '>': // a block begins on the next line
		t.row, t.col = 1, 0
	}
	return t
}

// next is the place of the next visible character; at the end, of the last.
func (t *tracker) next() Pos {
	for ; t.row < len(t.lines); t.row, t.col = t.row+1, 0 {
		for line := t.lines[t.row]; t.col < len(line); {
			at := Pos{t.pos.File, t.pos.Line + t.row, t.col + 1}
			r := line[t.col]
			width, visible := 1, !isBlank(r)
			switch {
			case t.quote == '\'' && r == '\'':
				width = 2
			case t.quote == '"' && r == '\\':
				width, visible = escape(line[t.col:])
			}
			t.col += width
			if visible {
				t.last = at
				return at
			}
		}
	}
	return t.last
}

// escape is how many characters an escape of a double-quoted text has, and
// whether what it stands for is visible (YAML 1.2.2 section 5.7).
func escape(text []rune) (width int, visible bool) {
	if len(text) < 2 {
		return 1, false // a line that goes on below
	}
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	if digits == 0 || len(text) < 2+digits {
		return 2, !strings.ContainsRune("nt \t", text[1])
	}
	code, err := strconv.ParseUint(string(text[2:2+digits]), 16, 32)
	return 2 + digits, err != nil || !isBlank(rune(code))
}
