package policy

import "strings"

// bracket is a list or mapping in brackets that is open.
type bracket struct {
	column int // of its content: what goes on below it hangs from there
	close  int // of the bracket that closes it, where that begins a line
}

// flow is a value in brackets on its way out.
type flow struct {
	*formatter
	w     *writer
	open  []bracket
	base  int  // from which brackets that end a line hang
	after rune // what was written last: { , : or x for any text; 0 at the begin of a line
	gap   []rune
}

// flow writes a list or mapping in brackets. Where the first entry stands beside
// its bracket, those on lines below stand beneath it; where a line ends with the
// bracket, they are indented from the line's begin.
func (f *formatter) flow(s spot, w *writer, base int) int {
	l := &flow{formatter: f, w: w, base: base, after: 'x'}
	for {
		line := f.lines[s.line]
		if from := s.column; len(l.open) > 0 || from == len(line) {
			s.column = blanks(line, from)
			l.gap = line[from:s.column]
		}
		switch {
		case s.column == len(line) || line[s.column] == '#' && (len(l.gap) > 0 || l.after == 0):
			if s.column < len(line) {
				w := l.w
				if l.after != 0 {
					w.add(l.gap...)
				}
				w.add(line[s.column:]...)
			}
			l.w.end(f)
			var ok bool
			if s, ok = l.next(s.line + 1); !ok {
				return len(f.lines)
			}
		default:
			s = l.token(s)
			if len(l.open) == 0 {
				return f.rest(s, l.w)
			}
		}
	}
}

// next begins the next line that is not blank.
func (l *flow) next(i int) (spot, bool) {
	for blank := false; i < len(l.lines); i++ {
		line := l.lines[i]
		first := blanks(line, 0)
		if first == len(line) {
			blank = true
			continue
		}
		if blank {
			l.out = append(l.out, "")
		}
		top := l.open[len(l.open)-1]
		column := top.column
		if line[first] == ']' || line[first] == '}' {
			column = top.close
		}
		l.w, l.after, l.base, l.gap = newWriter(column), 0, column, nil
		return spot{i, first}, true
	}
	return spot{}, false
}

// token writes one token of a line and returns the place after it.
func (l *flow) token(s spot) spot {
	line := l.lines[s.line]
	r := line[s.column]
	switch {
	case r == '[' || r == '{':
		l.space()
		l.w.add(r)
		b := bracket{column: l.w.column(), close: l.w.column() - 1}
		if rest := blanks(line, s.column+1); rest == len(line) || line[rest] == '#' {
			b = bracket{column: l.base + indentation, close: l.base}
		}
		l.open, l.after = append(l.open, b), '{'
	case r == ']' || r == '}':
		if l.after == ':' && len(l.gap) > 0 {
			l.w.add(' ') // {a: } is not {a:}
		}
		l.w.add(r)
		l.open, l.after = l.open[:len(l.open)-1], 'x'
	case r == ',':
		if l.after == ':' && len(l.gap) > 0 {
			l.w.add(' ')
		}
		l.w.add(r)
		l.after = ','
	case r == ':' && l.after == 'x' && (ends(line, s.column+1) || l.quotedBefore()):
		l.w.add(r)
		l.after = ':'
	case r == '"' || r == '\'':
		l.space()
		return l.quote(s)
	default:
		l.space()
		return l.plain(s)
	}
	return spot{s.line, s.column + 1}
}

// quotedBefore reports whether a quote or bracket was just closed: the colon after
// it need not be followed by a space.
func (l *flow) quotedBefore() bool {
	last := l.w.line[len(l.w.line)-1]
	return strings.ContainsRune(`"']}`, last) && len(l.gap) == 0
}

// space writes what stands between two tokens.
func (l *flow) space() {
	if l.after == ',' || l.after == ':' || l.after == 'x' && len(l.gap) > 0 {
		l.w.add(' ')
	}
}

// quote writes a text in quotes, which may go on below.
func (l *flow) quote(s spot) spot {
	l.after = 'x'
	end, ok := l.quoted(s, l.lines[s.line][s.column])
	if !ok {
		end = spot{s.line, len(l.lines[s.line])}
	}
	for i := s.line; i < end.line; i++ {
		l.w.add(l.lines[i][s.column:]...)
		l.w.endWithin(l.formatter)
		s.column = blanks(l.lines[i+1], 0)
		l.w = newWriter(l.open[len(l.open)-1].column)
	}
	l.w.add(l.lines[end.line][s.column:end.column]...)
	return end
}

// plain writes a text without quotes as far as it goes on this line.
func (l *flow) plain(s spot) spot {
	l.after = 'x'
	line := l.lines[s.line]
	end := s.column + 1
	for end < len(line) {
		next := blanks(line, end)
		switch r := runeAt(line, next); {
		case next == len(line), strings.ContainsRune(",[]{}", r), r == '#' && next > end, r == ':' && ends(line, next+1):
			l.w.add(line[s.column:end]...)
			return spot{s.line, end}
		}
		end = next + 1
	}
	l.w.add(line[s.column:end]...)
	return spot{s.line, end}
}

// ends reports whether a text that a colon follows ends there.
func ends(line []rune, i int) bool {
	return i >= len(line) || isBlank(line[i]) || strings.ContainsRune(",[]{}", line[i])
}

func runeAt(line []rune, i int) rune {
	if i < len(line) {
		return line[i]
	}
	return 0
}
