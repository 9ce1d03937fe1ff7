package collect

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// XML tells of a document's attributes and of its texts. It takes only what
// every parser reads alike, and what says all there is to read: no document
// type, hence no entities of its own (they expand to anything, from any file),
// no processing instructions, no encoding but UTF-8. The error is ErrArgs, or an
// Unclear.
func (w *Walker) XML(body string, to Sink) error {
	w.to, w.text, w.at, w.open, w.leaves = to, body, 0, w.open[:0], 0
	defer func() { w.text = ""; clear(w.open[:cap(w.open)]) }()
	if fault := unreadable(body); fault != "" {
		return xmlFault(fault)
	}
	if strings.HasPrefix(body, "<?") {
		w.at = len(declaration.FindString(body))
		if w.at == 0 {
			return xmlFault("begins with an instruction that is not a plain XML declaration of version 1.0 and encoding UTF-8")
		}
	}
	elements := 0
	for {
		text, found := w.until("<")
		if len(w.open) == 0 && strings.Trim(text, blanks) != "" {
			return xmlFault("has text outside its root element")
		}
		if err := w.characters(text); err != nil {
			return err
		}
		if !found {
			break
		}
		switch {
		case w.takes("!--"):
			comment, closed := w.until("--")
			if !closed || !w.takes(">") || strings.HasPrefix(comment, ">") || strings.HasPrefix(comment, "->") {
				return xmlFault("has a comment that is malformed")
			}
		case w.takes("![CDATA["):
			text, closed := w.until("]]>")
			if !closed || len(w.open) == 0 {
				return xmlFault("has a CDATA section that is malformed")
			}
			if err := w.piece(w.lines(text)); err != nil {
				return err
			}
		case w.takes("!"):
			return xmlFault("has a document type or another declaration")
		case w.takes("?"):
			return xmlFault("has a processing instruction")
		case w.takes("/"):
			if err := w.closing(); err != nil {
				return err
			}
		default:
			if elements++; elements > elementsPerArgument*w.bounds.Args || len(w.open) == 0 && elements > 1 {
				return xmlFault("has more than one root element, or too many elements")
			}
			if err := w.opening(); err != nil {
				return err
			}
		}
	}
	if elements == 0 || len(w.open) > 0 {
		return xmlFault("has no root element, or does not close it")
	}
	return nil
}

// elementsPerArgument is how many elements there may be for each argument
// allowed. Those without text or attributes are no values.
const elementsPerArgument = 2

const blanks = " \t\r\n"

// declaration takes less than XML does: decoders look for the encoding in ways
// of their own, with blanks around the sign or without.
var declaration = regexp.MustCompile(`^<\?xml version=(?:"1\.0"|'1\.0')(?: encoding=(?:"(?i:utf-8)"|'(?i:utf-8)'))?(?: standalone=(?:"(?:yes|no)"|'(?:yes|no)'))? ?\?>`)

// unreadable says what in a text is no character of XML.
func unreadable(s string) string {
	if strings.HasPrefix(s, "\ufeff") {
		return "begins with a byte order mark"
	}
	if !utf8.ValidString(s) {
		return "is not UTF-8"
	}
	for _, c := range s {
		if !character(c) {
			return "has a character that XML forbids"
		}
	}
	return ""
}

// character tells what may stand in a document (XML 1.0, section 2.2).
func character(c rune) bool {
	return c >= ' ' && c < 0xd800 || c == '\t' || c == '\n' || c == '\r' || c >= 0xe000 && c <= 0xfffd || c >= 0x10000 && c <= utf8.MaxRune
}

// until is what comes before the next end, which is passed over.
func (w *Walker) until(end string) (string, bool) {
	before, _, found := strings.Cut(w.text[w.at:], end)
	w.at += len(before)
	if found {
		w.at += len(end)
	}
	return before, found
}

// takes passes over s if it is next.
func (w *Walker) takes(s string) bool {
	found := strings.HasPrefix(w.text[w.at:], s)
	if found {
		w.at += len(s)
	}
	return found
}

// spaces passes over blanks.
func (w *Walker) spaces() bool {
	begin := w.at
	for w.at < len(w.text) && strings.IndexByte(blanks, w.text[w.at]) >= 0 {
		w.at++
	}
	return w.at > begin
}

// characters are those between tags.
func (w *Walker) characters(text string) error {
	if strings.Trim(text, blanks) == "" {
		return nil
	}
	if strings.Contains(text, "]]>") {
		return xmlFault("has ]]> in a text")
	}
	decoded, ok := w.decoded(text)
	if !ok {
		return xmlFault("has a reference to an entity other than lt, gt, amp, quot, apos and characters by number")
	}
	return w.piece(decoded)
}

// piece tells of a text. Two in one element are one for whoever asks for its
// text, but two values for the rules: SEL<!-- -->ECT, and SEL<b/>ECT for
// encoding/xml and SimpleXML, which pass over what they do not know.
func (w *Walker) piece(text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	// Text outside the root has been refused.
	of := &w.open[len(w.open)-1]
	if of.text {
		return xmlFault("has a text that another element, a comment or a CDATA section cuts")
	}
	of.text = true
	return w.node(XMLText, text)
}

// node tells of one value.
func (w *Walker) node(selector, value string) error {
	if w.leaves++; w.leaves > w.bounds.Args {
		return ErrArgs
	}
	return w.tell(XML, selector, value)
}

// decoded puts characters in for references, and line feeds for line ends.
func (w *Walker) decoded(s string) (string, bool) {
	s = w.lines(s)
	if strings.IndexByte(s, '&') < 0 {
		return s, true
	}
	out := w.arena.Room(len(s))
	for {
		before, after, found := strings.Cut(s, "&")
		out = append(out, before...)
		if !found {
			return w.arena.Keep(out), true
		}
		name, rest, closed := strings.Cut(after, ";")
		c, known := reference(name)
		if !closed || !known {
			return "", false
		}
		out, s = utf8.AppendRune(out, c), rest
	}
}

// reference is the character that a reference stands for.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, numbered := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	for i := range len(digits) {
		if !alphanumeric(digits[i]) {
			return 0, false // a sign, of which strconv would take some
		}
	}
	c, err := strconv.ParseUint(digits, base, 21)
	return rune(c), numbered && err == nil && character(rune(c))
}

// lines makes line feeds of line ends, as all parsers do.
func (w *Walker) lines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	out := w.arena.Room(len(s))
	for i := range len(s) {
		switch {
		case s[i] != '\r':
			out = append(out, s[i])
		case i+1 == len(s) || s[i+1] != '\n':
			out = append(out, '\n')
		}
	}
	return w.arena.Keep(out)
}
