package waf

// size is what a JSON text costs: the entries the engine makes of it, and its
// deepest nesting.
type size struct{ args, depth int }

// measure counts without recursion and without building anything, because what
// it guards against is a text that is dear to build. The engine makes one entry
// of every scalar and one more of every array that is not empty, for its
// length. Counting stops over a bound. It returns false for a text whose
// brackets or strings do not close; any other malformed text is counted as if
// its tokens were right.
func measure(text []byte, args, depth int) (size, bool) {
	var s size
	open := 0
	last := byte(0)   // last byte outside strings that is no white space
	inScalar := false // within a number or a name
	for i := 0; i < len(text); i++ {
		c := text[i]
		if isSpace(c) {
			inScalar = false
			continue
		}
		scalar := false
		switch c {
		case '"':
			end := closing(text, i+1)
			if end < 0 {
				return s, false
			}
			i = end
			s.args++
		case ':':
			if last == '"' {
				s.args-- // the string was a member's name
			}
		case '{', '[':
			open++
			s.depth = max(s.depth, open)
		case '}', ']':
			open--
			if open < 0 {
				return s, false
			}
			if c == ']' && last != '[' {
				s.args++
			}
		case ',':
		default:
			if !inScalar {
				s.args++
			}
			scalar = true
		}
		inScalar, last = scalar, c
		// One more than the bound: a name counts until its colon is seen.
		if s.args > args+1 || s.depth > depth {
			return s, true
		}
	}
	if s.depth == 0 {
		s.args++ // a text that is one scalar is taken for an array of one
	}
	return s, open == 0
}

// closing is the index of the quote that ends a string, or -1.
func closing(text []byte, from int) int {
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
