package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// waiting is a comment, or a blank line, until it is known what follows: a
// comment stands as far right as what it is about.
type waiting struct {
	comment string
	column  int
}

func (f *formatter) format() string {
	for i := 0; i < len(f.lines); {
		i = f.line(i)
	}
	for len(f.pending) > 0 && f.pending[len(f.pending)-1].comment == "" {
		f.pending = f.pending[:len(f.pending)-1]
	}
	f.flush(nil)
	if len(f.out) == 0 {
		return ""
	}
	return strings.Join(f.out, "\n") + "\n"
}

// line formats what begins on a line, and returns the line after it.
func (f *formatter) line(i int) int {
	line := f.lines[i]
	first := blanks(line, 0)
	s := spot{i, first}
	switch {
	case first == len(line):
		f.pending = append(f.pending, waiting{})
		return i + 1
	case line[first] == '#':
		f.pending = append(f.pending, waiting{comment: trimmed(line[first:]), column: first})
		return i + 1
	case f.isMarker(i):
		f.flush(&block{})
		f.out = append(f.out, trimmed(line))
		return i + 1
	case f.blocks[s] != nil:
		b := f.blocks[s]
		f.flush(b)
		f.current = b
		return f.entry(s, newWriter(b.new))
	default: // a value on a line of its own
		b := &block{parent: f.current, old: first}
		if f.current != nil {
			b.new = f.current.new + indentation
		}
		f.flush(b)
		return f.value(s, newWriter(b.new), b.new)
	}
}

// isMarker reports whether a document begins or ends on a line, or a directive
// stands there.
func (f *formatter) isMarker(i int) bool {
	line := string(f.lines[i])
	marker, _, _ := strings.Cut(line, " ")
	marker = strings.TrimRight(marker, "\t")
	return marker == "---" || marker == "..." || strings.HasPrefix(line, "%")
}

// flush writes what waits, before a line of the block next, or at the end of the
// file for nil. A comment takes the form of what stands in its column: of what
// follows, or else of a block that is open where it stands.
func (f *formatter) flush(next *block) {
	for _, w := range f.pending {
		if w.comment == "" {
			if len(f.out) > 0 && f.out[len(f.out)-1] != "" {
				f.out = append(f.out, "")
			}
			continue
		}
		best := &block{old: -1}
		for _, b := range append([]*block{next}, f.current.chain()...) {
			if b == nil || b.old > w.column {
				continue
			}
			// Dashes may have stood in the column of their key: a comment right of
			// both is about what stands below the key.
			if b.old > best.old || b.old == best.old && b.old < w.column && b.new > best.new {
				best = b
			}
		}
		f.out = append(f.out, strings.Repeat(" ", best.new)+w.comment)
	}
	f.pending = nil
}

// chain is a block and those around it.
func (b *block) chain() []*block {
	var all []*block
	for ; b != nil; b = b.parent {
		all = append(all, b)
	}
	return all
}

// entry writes a line of a block from the dash or key at s, and what hangs on it.
func (f *formatter) entry(s spot, w *writer) int {
	line := f.lines[s.line]
	for {
		b := f.blocks[s]
		if b == nil {
			return f.value(s, w, f.current.new+indentation)
		}
		f.current = b
		key, isKey := f.keys[s]
		if !isKey {
			w.add('-')
			s.column = blanks(line, s.column+1)
		} else {
			end, ok := f.keyEnd(s, key)
			if !ok {
				return f.rest(s, w)
			}
			w.add(line[s.column:end]...)
			w.add(':')
			colon := blanks(line, end)
			s.column = blanks(line, colon+1)
			if s.column < len(line) && line[s.column] == '#' {
				w.add(line[colon+1 : s.column]...)
				return f.rest(s, w)
			}
		}
		if s.column == len(line) {
			w.end(f)
			return s.line + 1
		}
		w.add(' ')
		if isKey {
			return f.value(s, w, b.new)
		}
	}
}

// keyEnd is where the text of a key ends, before its colon.
func (f *formatter) keyEnd(s spot, key *yaml.Node) (int, bool) {
	line := f.lines[s.line]
	end := s.column + len([]rune(key.Value))
	if q := line[s.column]; key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		after, ok := f.quoted(s, q)
		if !ok || after.line != s.line {
			return 0, false
		}
		end = after.column
	} else if end > len(line) || string(line[s.column:end]) != key.Value {
		return 0, false
	}
	colon := blanks(line, end)
	return end, colon < len(line) && line[colon] == ':'
}

// value writes a value that begins at s. Lines of a list or mapping in brackets
// hang from the column base.
func (f *formatter) value(s spot, w *writer, base int) int {
	line := f.lines[s.line]
	n := f.texts[s]
	switch {
	case line[s.column] == '[' || line[s.column] == '{':
		return f.flow(s, w, base)
	case n != nil && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return f.blockText(s, w)
	case n != nil && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return f.quotedText(s, w)
	case n != nil:
		return f.plainText(s, w)
	default:
		return f.rest(s, w)
	}
}

// rest writes a line from s on as it is.
func (f *formatter) rest(s spot, w *writer) int {
	w.add(f.lines[s.line][s.column:]...)
	w.end(f)
	return s.line + 1
}

// hang is the column of a line that goes on a text, moved as the text is, but
// right of the block it stands in.
func (f *formatter) hang(old, moved int) int {
	least := indentation
	if f.current != nil {
		least += f.current.new
	}
	return max(old+moved, least)
}

// plainText writes a text without quotes, which may go on below.
func (f *formatter) plainText(s spot, w *writer) int {
	moved := w.column() - s.column
	i := f.rest(s, w)
	for {
		next := i
		for next < len(f.lines) && blanks(f.lines[next], 0) == len(f.lines[next]) {
			next++
		}
		if next == len(f.lines) || f.isMarker(next) {
			return i
		}
		first := blanks(f.lines[next], 0)
		if f.lines[next][first] == '#' || f.blocks[spot{next, first}] != nil {
			return i
		}
		for ; i < next; i++ {
			f.out = append(f.out, "") // a break within the text
		}
		i = f.rest(spot{next, first}, newWriter(f.hang(first, moved)))
	}
}

// quotedText writes a text in quotes, which may go on below.
func (f *formatter) quotedText(s spot, w *writer) int {
	end, ok := f.quoted(s, f.lines[s.line][s.column])
	if !ok {
		return f.rest(s, w)
	}
	moved := w.column() - s.column
	for i := s.line; i < end.line; i++ {
		w.add(f.lines[i][s.column:]...)
		w.endWithin(f)
		s.column = blanks(f.lines[i+1], 0)
		w = newWriter(f.hang(s.column, moved))
	}
	return f.rest(spot{end.line, s.column}, w)
}

// quoted is the place after the closing quote of a text that begins at s.
func (f *formatter) quoted(s spot, quote rune) (spot, bool) {
	s.column++
	for ; s.line < len(f.lines); s.line, s.column = s.line+1, 0 {
		line := f.lines[s.line]
		for s.column < len(line) {
			r := line[s.column]
			s.column++
			switch {
			case r == '\\' && quote == '"':
				s.column++
			case r == quote && quote == '\'' && s.column < len(line) && line[s.column] == quote:
				s.column++
			case r == quote:
				return s, true
			}
		}
	}
	return s, false
}

// blockText writes a text below | or >, whose lines keep their distance from
// one another and their spaces.
func (f *formatter) blockText(s spot, w *writer) int {
	header := f.lines[s.line][s.column:]
	i := f.rest(s, w)
	parent := &block{old: -1, new: -1}
	if f.current != nil {
		parent = f.current
	}
	given, keep := 0, false
	for _, r := range header[1:min(3, len(header))] {
		if r >= '1' && r <= '9' {
			given = int(r - '0')
		}
		keep = keep || r == '+'
	}
	old, now := parent.old+given, parent.new+given
	if given == 0 {
		old, now = f.blockIndent(i), parent.new+indentation
		if old <= parent.old {
			return i // it is empty
		}
	}
	end := i // after the last line that belongs to it
	for j := i; j < len(f.lines); j++ {
		line := f.lines[j]
		first := spaces(line)
		if blanksOnly := first == len(line); !blanksOnly && first < old {
			break
		} else if !blanksOnly || len(line) > old || keep {
			end = j + 1
		}
	}
	if keep && end == len(f.lines) && len(f.lines[end-1]) == 0 {
		end-- // what follows the last line break is no line
	}
	for ; i < end; i++ {
		text := f.lines[i][min(old, len(f.lines[i])):]
		if len(text) == 0 {
			f.out = append(f.out, "")
			continue
		}
		f.out = append(f.out, strings.Repeat(" ", max(0, now))+string(text))
	}
	return end
}

// blockIndent is the column of the first line with a text from i on; -1 for none.
func (f *formatter) blockIndent(i int) int {
	for _, line := range f.lines[min(i, len(f.lines)):] {
		if first := spaces(line); first < len(line) {
			return first
		}
	}
	return -1
}

func spaces(line []rune) int {
	n := slices.IndexFunc(line, func(r rune) bool { return r != ' ' })
	if n < 0 {
		return len(line)
	}
	return n
}

// blanks is the column of the first character from a column on that is no blank,
// or the end of the line.
func blanks(line []rune, from int) int {
	for from < len(line) && isBlank(line[from]) {
		from++
	}
	return from
}

func trimmed(line []rune) string { return strings.TrimRight(string(line), " \t") }

// writer gathers one line.
type writer struct{ line []rune }

func newWriter(indent int) *writer { return &writer{[]rune(strings.Repeat(" ", indent))} }

func (w *writer) add(rs ...rune) { w.line = append(w.line, rs...) }

func (w *writer) column() int { return len(w.line) }

// end writes the line, without the blanks at its end.
func (w *writer) end(f *formatter) { f.out = append(f.out, trimmed(w.line)) }

// endWithin is end for a line of a text in quotes: a blank that is escaped is
// kept.
func (w *writer) endWithin(f *formatter) {
	text := trimmed(w.line)
	if slashes := len(text) - len(strings.TrimRight(text, `\`)); slashes%2 == 1 && len(text) < len(string(w.line)) {
		text = string(w.line)[:len(text)+1]
	}
	f.out = append(f.out, text)
}
