package collect

import "strconv"

const (
	// inflation is by how much the names and values of a document may be longer
	// than it; the engine gives up beyond, and so do we.
	inflation = 8
	// smallest is what they may come to in any case.
	smallest = 4096
)

// JSON tells of a document's leaves by the names the engine gives them:
// {"note": {"lines": ["a"]}} has json.note.lines.0, and json.note.lines with the
// length of the array. A document that is one scalar is json.0, and json is "1".
func (w *Walker) JSON(body string, to Sink) error {
	w.to, w.text, w.at = to, body, 0
	w.budget = max(inflation*len(body), smallest)
	w.leaves, w.counts = 0, 0
	w.path = append(w.path[:0], "json"...)
	w.blank()
	if err := w.document(); err != nil {
		return err
	}
	if w.blank(); w.at != len(w.text) {
		return ErrJSON
	}
	return nil
}

func (w *Walker) document() error {
	if c := w.next(); c == '{' || c == '[' {
		return w.member(1)
	}
	w.path = append(w.path, ".0"...)
	if err := w.member(1); err != nil {
		return err
	}
	w.path = w.path[:len("json")]
	return w.count(1)
}

// next is the byte at hand; 0, which begins nothing, at the end.
func (w *Walker) next() byte {
	if w.at < len(w.text) {
		return w.text[w.at]
	}
	return 0
}

// take passes over c if it is next.
func (w *Walker) take(c byte) bool {
	if w.at < len(w.text) && w.text[w.at] == c {
		w.at++
		return true
	}
	return false
}

func (w *Walker) blank() {
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ' ', '\n', '\t', '\r':
			w.at++
		default:
			return
		}
	}
}

// member reads one value whose name is the path.
func (w *Walker) member(depth int) error {
	switch c := w.next(); c {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		value, ok := w.string()
		if !ok {
			return ErrJSON
		}
		return w.leaf(value)
	case 't':
		return w.word("true", "true")
	case 'f':
		return w.word("false", "false")
	case 'n':
		return w.word("null", "")
	default:
		begin := w.at
		if !w.number() {
			return ErrJSON
		}
		return w.leaf(w.text[begin:w.at])
	}
}

func (w *Walker) word(word, value string) error {
	if len(w.text)-w.at < len(word) || w.text[w.at:w.at+len(word)] != word {
		return ErrJSON
	}
	w.at += len(word)
	return w.leaf(value)
}

func (w *Walker) object(depth int) error {
	if depth > w.bounds.Depth {
		return ErrJSON
	}
	w.at++
	if w.blank(); w.take('}') {
		return nil
	}
	parent := len(w.path)
	for {
		w.blank()
		name, ok := w.string()
		if !ok {
			return ErrJSON
		}
		w.path = append(append(w.path[:parent], '.'), name...)
		if w.blank(); !w.take(':') {
			return ErrJSON
		}
		w.blank()
		if err := w.member(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:parent]
		if w.blank(); w.take('}') {
			return nil
		}
		if !w.take(',') {
			return ErrJSON
		}
	}
}

func (w *Walker) array(depth int) error {
	if depth > w.bounds.Depth {
		return ErrJSON
	}
	w.at++
	if w.blank(); w.take(']') {
		return nil
	}
	parent := len(w.path)
	for i := 0; ; i++ {
		w.path = strconv.AppendInt(append(w.path[:parent], '.'), int64(i), 10)
		w.blank()
		if err := w.member(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:parent]
		if w.blank(); w.take(']') {
			return w.count(i + 1)
		}
		if !w.take(',') {
			return ErrJSON
		}
	}
}

// leaf tells of one value.
func (w *Walker) leaf(value string) error {
	if w.leaves++; w.leaves > w.bounds.Args {
		return ErrArgs
	}
	return w.argument(value)
}

// count tells of the length of an array.
func (w *Walker) count(n int) error {
	if w.counts++; w.counts > w.bounds.Args {
		return ErrArgs
	}
	room := w.arena.Room(20)
	return w.argument(w.arena.Keep(strconv.AppendInt(room, int64(n), 10)))
}

func (w *Walker) argument(value string) error {
	if w.budget -= len(w.path) + len(value); w.budget < 0 {
		return ErrArgs
	}
	name := w.kept(w.path)
	if err := w.tell(ArgsPostNames, name, name); err != nil {
		return err
	}
	return w.tell(ArgsPost, name, value)
}

// number reads -0.5e+3 and the like (RFC 8259 section 6).
func (w *Walker) number() bool {
	w.take('-')
	if !w.take('0') && !w.digits() {
		return false
	}
	if w.take('.') && !w.digits() {
		return false
	}
	if c := w.next(); c != 'e' && c != 'E' {
		return true
	}
	w.at++
	if !w.take('+') {
		w.take('-')
	}
	return w.digits()
}

func (w *Walker) digits() bool {
	begin := w.at
	for c := w.next(); '0' <= c && c <= '9'; c = w.next() {
		w.at++
	}
	return w.at > begin
}
